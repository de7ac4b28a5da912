"""FHIR bundles to tables and answers with DuckDB, written by hand, without any check, lineage, history or commit.

The yardstick for the clinical tables: what a good engineer would write for bundles that are all well formed. It makes
the tables that nh_pipeline makes of them, but for refused lines, the population cut by patients and the quality of
data; and it keeps to what these bundles need:

* of several codings the first counts, whatever its system; of a resource the latest version; deletions are listed, not
  applied, and nothing is refused;
* references are cut to their ids: none is looked up by an identifier, and their kinds are not told;
* no table is cut into buckets of patients, so that the population is summed up at once;
* what CMS and NPPES say of organizations is not looked up, as no file of theirs is delivered with the bundles.

The Bundles are read once, and each resource is parsed once as what it is. What codes mean is taken from the project's
lists. Tables stay in memory for those that follow, and are written as Parquet, a file each.
"""
