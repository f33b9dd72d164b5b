"""A prediction as a document, and what `mer predict` and a stack's services share to make it."""
