"""References of a methods text as BibTeX; software with the versions of the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: Key, as ``[@key]`` in the text, to its entry. In braces stands a name that is no person's.
REFERENCES: dict[str, str] = {
    "kruschke2021": """@article{kruschke2021,
  author = {Kruschke, John K.},
  title = {Bayesian Analysis Reporting Guidelines},
  journal = {Nature Human Behaviour},
  year = {2021},
  volume = {5},
  pages = {1282--1291},
  doi = {10.1038/s41562-021-01177-7}
}""",
    "sung2005": """@article{sung2005,
  author = {Sung, Lillian and Hayden, Jill and Greenberg, Mark L. and Koren, Gideon and
    Feldman, Brian M. and Tomlinson, George A.},
  title = {Seven items were identified for inclusion when reporting a {Bayesian} analysis of a
    clinical study},
  journal = {Journal of Clinical Epidemiology},
  year = {2005},
  volume = {58},
  number = {3},
  pages = {261--268},
  doi = {10.1016/j.jclinepi.2004.08.010}
}""",
    "iche9r1": """@techreport{iche9r1,
  author = {{International Council for Harmonisation}},
  title = {{ICH} harmonised guideline {E9(R1)}: Addendum on estimands and sensitivity analysis in
    clinical trials to the guideline on statistical principles for clinical trials},
  institution = {International Council for Harmonisation of Technical Requirements for
    Pharmaceuticals for Human Use},
  year = {2019}
}""",
    "clopper1934": """@article{clopper1934,
  author = {Clopper, C. J. and Pearson, E. S.},
  title = {The use of confidence or fiducial limits illustrated in the case of the binomial},
  journal = {Biometrika},
  year = {1934},
  volume = {26},
  number = {4},
  pages = {404--413},
  doi = {10.1093/biomet/26.4.404}
}""",
    "hoffman2014": """@article{hoffman2014,
  author = {Hoffman, Matthew D. and Gelman, Andrew},
  title = {The {No-U-Turn} sampler: adaptively setting path lengths in {Hamiltonian} {Monte}
    {Carlo}},
  journal = {Journal of Machine Learning Research},
  year = {2014},
  volume = {15},
  number = {47},
  pages = {1593--1623}
}""",
    "vehtari2021": """@article{vehtari2021,
  author = {Vehtari, Aki and Gelman, Andrew and Simpson, Daniel and Carpenter, Bob and
    B{\\"u}rkner, Paul-Christian},
  title = {Rank-normalization, folding, and localization: an improved {$\\widehat{R}$} for assessing
    convergence of {MCMC}},
  journal = {Bayesian Analysis},
  year = {2021},
  volume = {16},
  number = {2},
  pages = {667--718},
  doi = {10.1214/20-BA1221}
}""",
    "kallioinen2024": """@article{kallioinen2024,
  author = {Kallioinen, Noa and Paananen, Topi and B{\\"u}rkner, Paul-Christian and
    Vehtari, Aki},
  title = {Detecting and diagnosing prior and likelihood sensitivity with power-scaling},
  journal = {Statistics and Computing},
  year = {2024},
  volume = {34},
  pages = {57},
  doi = {10.1007/s11222-023-10366-5}
}""",
    "pymc2023": """@article{pymc2023,
  author = {Abril-Pla, Oriol and Andreani, Virgile and Carroll, Colin and Dong, Larry and
    Fonnesbeck, Christopher J. and Kochurov, Maxim and Kumar, Ravin and Lao, Junpeng and
    Luhmann, Christian C. and Martin, Osvaldo A. and Osthege, Michael and Vieira, Ricardo and
    Wiecki, Thomas and Zinkov, Robert},
  title = {{PyMC}: a modern, and comprehensive probabilistic programming framework in {Python}},
  journal = {PeerJ Computer Science},
  year = {2023},
  volume = {9},
  pages = {e1516},
  doi = {10.7717/peerj-cs.1516}
}""",
    "arviz2019": """@article{arviz2019,
  author = {Kumar, Ravin and Carroll, Colin and Hartikainen, Ari and Martin, Osvaldo},
  title = {{ArviZ} a unified library for exploratory analysis of {Bayesian} models in {Python}},
  journal = {Journal of Open Source Software},
  year = {2019},
  volume = {4},
  number = {33},
  pages = {1143},
  doi = {10.21105/joss.01143}
}""",
    "nutpie": """@misc{nutpie,
  author = {{PyMC Developers}},
  title = {nutpie},
  howpublished = {\\url{https://github.com/pymc-devs/nutpie}},
  note = {Version VERSION}
}""",
    "mnbayes": """@misc{mnbayes,
  author = {{mnbayes developers}},
  title = {mnbayes: {Bayesian} models of tiny single-arm trials},
  note = {Version VERSION}
}""",
}


def bibliography(cited: Iterable[str], versions: Mapping[str, str]) -> str:
    """The entries of what is cited, in the order of :data:`REFERENCES`.

    Parameters
    ----------
    cited : iterable of str
        Keys.
    versions : mapping
        Software to its version in the run.
    """
    keys = set(cited)
    entries = (
        text.replace("VERSION", versions.get(key, "not recorded"))
        for key, text in REFERENCES.items()
        if key in keys
    )
    return "\n\n".join(entries) + "\n"
