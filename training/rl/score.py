"""One number for a whole search, to compare searches: what the advantages reward on average."""

from steiner.training.rl.grade import SearchRecord


def search_score(outcome: float, record: SearchRecord, step_weight: float) -> float:
    """R + lambda x mean grade: a mean and not a sum, so that walking longer adds nothing."""
    grades = [grade.total for grade in record.grades]
    return outcome + step_weight * (sum(grades) / len(grades) if grades else 0.0)
