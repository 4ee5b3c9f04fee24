# The proofs: what each is and what it found is in docs/proofs.md. Each is a script of its own in proof/.

.PHONY: proof models

# The short forms, one after another.
proof: models

# Every order in which the library's waiting, closing and waking can happen.
models:
	@tools/setup
	@proof/models/run
