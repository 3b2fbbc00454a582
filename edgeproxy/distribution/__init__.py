"""CloudFront's nouns as frozen values, and the rules that only need those."""
