# Names in paths.
COHORTS = sorted(SETTINGS.progression.cohorts)
