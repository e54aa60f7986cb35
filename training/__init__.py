"""The pipeline that produces the served weights: problems -> DAGs -> traces -> CPT -> SFT -> RL -> checkpoint."""
