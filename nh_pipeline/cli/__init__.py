"""The ``nh`` command, a module for each group of commands."""
