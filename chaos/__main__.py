"""`python -m chaos`, as `make chaos` calls it."""

from chaos.run import main

raise SystemExit(main())
