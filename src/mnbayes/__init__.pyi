"""The public names of mnbayes and their modules: the one list, read on import as well."""

from .analyses.catalogue import register_section as register_section
from .analyses.catalogue import unregister_section as unregister_section
from .analyses.comparison.fits import compare as compare
from .analyses.comparison.runs import Comparison as Comparison
from .analyses.comparison.runs import compare_runs as compare_runs
from .analyses.design.beta_binomial import Beta as Beta
from .analyses.design.plan import Plan as Plan
from .analyses.design.plan import plan_counts as plan_counts
from .analyses.design.plan import plan_run as plan_run
from .analyses.historical.card import load_historical_card as load_historical_card
from .analyses.historical.fit import HistoricalResult as HistoricalResult
from .analyses.historical.fit import fit_historical as fit_historical
from .analyses.historical.table import load_historical as load_historical
from .analyses.published.card import load_published_card as load_published_card
from .analyses.published.fit import fit_published as fit_published
from .analyses.published.load_facts import load_facts as load_facts
from .analyses.published.result import PublishedResult as PublishedResult
from .analyses.sensitivity.multiverse import Multiverse as Multiverse
from .analyses.sensitivity.multiverse import run_multiverse as run_multiverse
from .analyses.summarise import summarise as summarise
from .analyses.withdrawal.strategies import (
    register_withdrawal_strategy as register_withdrawal_strategy,
)
from .answers.result import ModelAsked as ModelAsked
from .answers.result import Result as Result
from .base.problems import InputError as InputError
from .base.problems import Problem as Problem
from .base.text_table import Table as Table
from .cards.card import Card as Card
from .cards.card import load_card as load_card
from .cards.definitions import Definitions as Definitions
from .cards.definitions import load_definitions as load_definitions
from .cards.overrides import with_priors as with_priors
from .cards.own_model import OwnModel as OwnModel
from .cards.own_model import load_own_model as load_own_model
from .data.cohort import Cohort as Cohort
from .data.cohort import load_cohort as load_cohort
from .data.embedded import embedded_cohort as embedded_cohort
from .inference.fit import Fit as Fit
from .inference.fit import fit as fit
from .inference.own_fit import fit_own as fit_own
from .inference.sampling import Sampling as Sampling
from .models.longitudinal import model as model
from .pipeline import Job as Job
from .pipeline import run_job as run_job
from .pipeline import write_report as write_report
from .run.analysis import Analysis as Analysis
from .run.analysis import Shown as Shown
from .run.opened_run import OpenedRun as OpenedRun
from .run.opened_run import open_run as open_run
from .run.run import Run as Run
from .run.section import Drawn as Drawn
from .run.section import PageOne as PageOne
from .run.section import Picture as Picture
from .run.section import Section as Section
from .run.section import Tidy as Tidy
