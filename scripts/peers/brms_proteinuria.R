# The proteinuria card's model in brms: the same likelihood and the same priors.
#
# Rscript brms_proteinuria.R DATA.csv PRIORS.json OUT.json REFITS CORES [DRAWS] [ADAPT_DELTA]
#   [CHANGED.json] [LIMIT LARGER.csv ...]
#
# DATA.csv      patient, week, log_y (natural log of g/24h)
# PRIORS.json   rows of prior, class, coef, group, as set_prior() takes them; written from the card
# OUT.json      seconds, and mean, SD and Monte Carlo errors of each parameter
# REFITS        times update(recompile = FALSE) is measured after the first fit
# DRAWS         draws a chain after 1000 of warm-up; 4 chains (default 1000)
# ADAPT_DELTA   default 0.95
# CHANGED.json  priors with other numbers; if given, one fit with them is measured too. brms writes
#               the numbers of its priors into the Stan program, so it compiles again.
# LARGER.csv    data of more and more patients, each refitted once without compiling, as long as
#               the one before took less than LIMIT seconds
#
# The random effect of week is on `post`, which is 0 at week 0: baseline has no visit deviation.

started <- proc.time()[["elapsed"]]
arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(length(arguments) >= 5)
argument <- function(i, default) if (length(arguments) >= i) arguments[[i]] else default
refits <- as.integer(arguments[[4]])
cores <- as.integer(arguments[[5]])
draws <- as.integer(argument(6, "1000"))
adapt_delta <- as.numeric(argument(7, "0.95"))
changed <- argument(8, "")
warmup <- 1000L

suppressPackageStartupMessages(library(brms))

read_priors <- function(file) {
  rows <- jsonlite::fromJSON(file)
  Reduce(`+`, lapply(seq_len(nrow(rows)), function(i) {
    set_prior(rows$prior[i], class = rows$class[i], coef = rows$coef[i], group = rows$group[i])
  }))
}

seconds_of <- function(expression) {
  before <- proc.time()[["elapsed"]]
  force(expression)
  proc.time()[["elapsed"]] - before
}

read_data <- function(file) {
  data <- read.csv(file, colClasses = c("factor", "character", "numeric"))
  data$post <- as.numeric(as.numeric(data$week) > 0)
  data$week <- factor(data$week)
  data
}

# brms names -> names of mnbayes
parameters <- c(
  baseline_mean = "b_Intercept", change_mean = "b_post",
  baseline_sd = "sd_patient__Intercept", change_sd = "sd_patient__post",
  visit_sd = "sd_week__post", residual_sd = "sigma",
  correlation = "cor_patient__Intercept__post"
)
summarised <- function(fit) {
  posterior::summarise_draws(
    posterior::subset_draws(posterior::as_draws_array(fit), variable = unname(parameters)),
    "mean", "sd", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "rhat"
  )
}
divergent <- function(fit) sum(subset(nuts_params(fit), Parameter == "divergent__")$Value)

data <- read_data(arguments[[1]])
loaded <- proc.time()[["elapsed"]] - started

fit_with <- function(priors_file) {
  brm(
    log_y ~ 0 + Intercept + post + (1 + post | patient) + (0 + post | week),
    data = data, prior = read_priors(priors_file), chains = 4, iter = warmup + draws,
    warmup = warmup, cores = cores, seed = 1, control = list(adapt_delta = adapt_delta),
    refresh = 0, silent = 2
  )
}
seconds_first <- seconds_of(fit <- fit_with(arguments[[2]]))
refit_to <- function(newdata, seed) {
  seconds <- seconds_of(again <- update(
    fit, newdata = newdata, recompile = FALSE, seed = seed, cores = cores, refresh = 0, silent = 2
  ))
  table <- summarised(again)
  list(
    seconds = seconds, effective = min(table$ess_bulk, table$ess_tail),
    divergences = divergent(again)
  )
}
again <- lapply(seq_len(refits), function(seed) refit_to(data, seed))
column <- function(rows, name) I(vapply(rows, function(row) row[[name]], numeric(1)))
seconds_changed <- if (nzchar(changed)) seconds_of(fit_with(changed)) else numeric(0)

limit <- as.numeric(argument(9, "0"))
growth <- list()
last <- 0
for (file in tail(arguments, -9)) {
  if (last > limit) break
  larger <- read_data(file)
  last <- refit_to(larger, 1)$seconds
  growth[[as.character(nlevels(larger$patient))]] <- last
}

table <- summarised(fit)
estimates <- lapply(parameters, function(name) as.list(table[table$variable == name, -1]))

jsonlite::write_json(
  list(
    versions = list(
      R = as.character(getRversion()), brms = as.character(packageVersion("brms")),
      rstan = as.character(packageVersion("rstan")), Stan = rstan::stan_version()
    ),
    sampling = list(
      chains = 4L, warmup = warmup, draws = draws, adapt_delta = adapt_delta, cores = cores,
      divergences = divergent(fit)
    ),
    seconds = list(
      load = loaded, first = seconds_first, warm = column(again, "seconds"),
      new_priors = I(seconds_changed), growth = growth
    ),
    effective = column(again, "effective"),
    divergences = column(again, "divergences"),
    parameters = estimates
  ),
  arguments[[3]], auto_unbox = TRUE, digits = 10, pretty = TRUE
)
