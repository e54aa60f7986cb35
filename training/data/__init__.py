"""The data of a recipe: problems, their DAGs, traces, drills and dialogues, as shards of Parquet files.

- kinds: what a record holds
- shards: one file, written whole or not at all, read as a stream
- distinct: problems, of which no two are the same
- records: what is made of a problem
- dialogues: problems that a second message revises
- sharing: which records are in which shard
- workers: processes that share the work
- writing: all of it, resumable
- fingerprint: what a stage was made from, so that it is not taken for another
- manifest: counts, hashes and versions of what was written
- statistics, figures, card: what a reader wants to know about it
"""
