# The nearest model in rstanarm: timing only, its priors are of other families.
#
# Rscript rstanarm_proteinuria.R DATA.csv OUT.json REFITS CORES [LIMIT LARGER.csv ...]
#
# stan_lmer() comes compiled; every fit costs the same, so the first counts as the others do.
# Its covariance prior (decov) cannot be made the card's independent half-normals with LKJ.
# LARGER.csv are data of more and more patients, each fitted once as long as the one before took
# less than LIMIT seconds.

started <- proc.time()[["elapsed"]]
arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(length(arguments) >= 4)
refits <- as.integer(arguments[[3]])

suppressPackageStartupMessages(library(rstanarm))

read_data <- function(file) {
  data <- read.csv(file, colClasses = c("factor", "character", "numeric"))
  data$post <- as.numeric(as.numeric(data$week) > 0)
  data$week <- factor(data$week)
  data
}
data <- read_data(arguments[[1]])
loaded <- proc.time()[["elapsed"]] - started

timed <- function(data, seed, change_sd = 0.7) {
  before <- proc.time()[["elapsed"]]
  fit <- stan_lmer(
    log_y ~ 1 + post + (1 + post | patient) + (0 + post | week),
    data = data, prior = normal(0, change_sd), prior_intercept = normal(1.386, 0.75),
    prior_covariance = decov(2), chains = 4, iter = 2000, cores = as.integer(arguments[[4]]),
    seed = seed, adapt_delta = 0.9, refresh = 0
  )
  list(seconds = proc.time()[["elapsed"]] - before, fit = fit)
}
# Means, residual SD and covariances; not the effects of patients and weeks.
effective <- function(fit) {
  draws <- as.array(fit)
  own <- !grepl("^b\\[", dimnames(draws)[[3]])
  table <- posterior::summarise_draws(draws[, , own], "ess_bulk", "ess_tail")
  min(table$ess_bulk, table$ess_tail)
}
first <- timed(data, 1)$seconds
again <- lapply(seq_len(refits), function(seed) timed(data, 1 + seed))
others <- vapply(
  seq_len(refits), function(i) timed(data, 1 + i, 0.2 + 0.1 * i)$seconds, numeric(1)
)

limit <- as.numeric(if (length(arguments) >= 5) arguments[[5]] else "0")
growth <- list()
last <- 0
for (file in tail(arguments, -5)) {
  if (last > limit) break
  larger <- read_data(file)
  last <- timed(larger, 1)$seconds
  growth[[as.character(nlevels(larger$patient))]] <- last
}

jsonlite::write_json(
  list(
    versions = list(
      R = as.character(getRversion()), rstanarm = as.character(packageVersion("rstanarm"))
    ),
    seconds = list(
      load = loaded, first = first, warm = I(vapply(again, `[[`, numeric(1), "seconds")),
      new_priors = I(others), growth = growth
    ),
    effective = I(vapply(again, function(each) effective(each$fit), numeric(1))),
    divergences = I(vapply(again, function(each) {
      sum(vapply(rstan::get_sampler_params(each$fit$stanfit, inc_warmup = FALSE), function(chain) {
        sum(chain[, "divergent__"])
      }, numeric(1)))
    }, numeric(1)))
  ),
  arguments[[2]], auto_unbox = TRUE, digits = 10, pretty = TRUE
)
