# The nearest model in rstanarm: timing only, its priors are of other families.
#
# Rscript rstanarm_proteinuria.R DATA.csv OUT.json REFITS CORES
#
# stan_lmer() comes compiled; every fit costs the same, so the first counts as the others do.
# Its covariance prior (decov) cannot be made the card's independent half-normals with LKJ.

started <- proc.time()[["elapsed"]]
arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(length(arguments) == 4)
refits <- as.integer(arguments[[3]])

suppressPackageStartupMessages(library(rstanarm))

data <- read.csv(arguments[[1]], colClasses = c("factor", "character", "numeric"))
data$post <- as.numeric(as.numeric(data$week) > 0)
data$week <- factor(data$week)
loaded <- proc.time()[["elapsed"]] - started

fit_seconds <- function(seed) {
  before <- proc.time()[["elapsed"]]
  stan_lmer(
    log_y ~ 1 + post + (1 + post | patient) + (0 + post | week),
    data = data, prior = normal(0, 0.7), prior_intercept = normal(1.386, 0.75),
    prior_covariance = decov(2), chains = 4, iter = 2000, cores = as.integer(arguments[[4]]),
    seed = seed, adapt_delta = 0.95, refresh = 0
  )
  proc.time()[["elapsed"]] - before
}
seconds_first <- fit_seconds(1)
seconds_refit <- vapply(seq_len(refits), fit_seconds, numeric(1))

jsonlite::write_json(
  list(
    versions = list(
      R = as.character(getRversion()), rstanarm = as.character(packageVersion("rstanarm"))
    ),
    seconds = list(load = loaded, first = seconds_first, refits = I(seconds_refit))
  ),
  arguments[[2]], auto_unbox = TRUE, digits = 10, pretty = TRUE
)
