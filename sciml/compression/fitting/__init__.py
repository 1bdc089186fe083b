"""How models are fitted: rules, tables, groups, and the pictures that they are learned from."""
