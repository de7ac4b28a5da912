"""The dashboard: staffing and quality for people who never open a notebook.

``views`` are the pages: their widgets, and which sections they show. ``sections`` say what is asked of the lake and how
it is shown, on screen and on paper alike. Figures come from :mod:`nh_pipeline.queries` alone.
"""
