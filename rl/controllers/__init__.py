"""Who controls: plans, rules, and trained policies."""
