"""`python -m benchmarks`, as `make bench` calls it."""

from benchmarks.run import main

raise SystemExit(main())
