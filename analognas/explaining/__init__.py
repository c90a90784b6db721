"""Why a network is predicted to be as good as it is, what would change it, and what labels say."""
