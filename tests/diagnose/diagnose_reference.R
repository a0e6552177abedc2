# SPDX-License-Identifier: GPL-3.0-or-later
# Draws of several kinds of chains, and what the package posterior (Debian: r-cran-posterior 1.4.0) says of them: the reference values of test_diagnose.c.
#   Rscript tests/diagnose/diagnose_reference.R tests/diagnose
# writes tests/diagnose/diagnose_draws.csv (case, then the draws of its chains, one line for each chain) and tests/diagnose/diagnose_reference.csv.
suppressPackageStartupMessages(library(posterior))
folder <- commandArgs(TRUE)[1]
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(20)
ar <- function(n, r) as.numeric(arima.sim(list(ar = r), n))
chains <- function(n, k, f) sapply(seq_len(k), function(i) f(n, i))
cases <- list(
  iid = chains(100, 4, function(n, i) rnorm(n)),
  odd = chains(101, 3, function(n, i) rnorm(n, 5, 2)),
  one = chains(200, 1, function(n, i) ar(n, 0.5)),
  slow = chains(150, 4, function(n, i) ar(n, 0.9)),
  alternating = chains(100, 4, function(n, i) ar(n, -0.7)),
  shifted = chains(100, 4, function(n, i) rnorm(n, if (i == 2) 1 else 0)),
  spread = chains(100, 4, function(n, i) rnorm(n, 0, if (i == 3) 4 else 1)),
  heavy = chains(100, 4, function(n, i) rcauchy(n)),
  drift = chains(100, 2, function(n, i) rnorm(n) + seq_len(n) / 50),
  ties = chains(100, 4, function(n, i) rpois(n, 2)),
  short = chains(16, 2, function(n, i) rnorm(n)))
cases <- lapply(cases, function(x) apply(x, 2, function(v) as.numeric(sprintf("%.6g", v))))
lines <- unlist(lapply(names(cases), function(name)
  apply(cases[[name]], 2, function(v) paste(c(name, sprintf("%.6g", v)), collapse = ","))))
writeLines(lines, file.path(folder, "diagnose_draws.csv"))
values <- sapply(names(cases), function(name) {
  x <- cases[[name]]
  sprintf("%s,%.12g,%.12g,%.12g,%.12g,%.12g,%.12g", name, mean(x), sd(x), rhat(x), ess_bulk(x), ess_tail(x), mcse_mean(x))
})
writeLines(c("case,mean,sd,rhat,ess_bulk,ess_tail,mcse_mean", values), file.path(folder, "diagnose_reference.csv"))
