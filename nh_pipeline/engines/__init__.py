"""Where PySpark runs: sessions (:mod:`.spark`), AWS Glue jobs (:mod:`.glue`, :mod:`.glue_job`)."""
