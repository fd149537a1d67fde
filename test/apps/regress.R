# R: a bootstrap of a regression; its own random numbers, vectors, closures.
set.seed(42)
n <- 3000
x <- matrix(rnorm(n * 12), n)
y <- drop(x %*% (1:12)) + rnorm(n)
estimates <- NULL
for (i in 1:1300) {
	rows <- sample(n, n, replace = TRUE)
	fit <- lm(y[rows] ~ x[rows, ])
	estimates <- rbind(estimates, coef(fit))
	if (i %% 50 == 0) {
		cat(i, format(colMeans(estimates), digits = 9), "\n")
		flush(stdout())
	}
}
write(format(apply(estimates, 2, sd), digits = 9), "result.txt")
