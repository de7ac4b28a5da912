"""The files of CMS, a module each: declaration, and at most one pure transform."""
