"""Parts of pages: each asks its question of the lake and shows the answer on a :class:`~dashboard.page.Page`."""
