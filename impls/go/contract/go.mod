module perf.test/contract

go 1.24.6
