"""What a job on GitHub or GitLab does beside the commands: `python -P -m sendkit_sync.cli.forge take|comment|reviewed|record`.

Kept out of the job's own file, so that a mended version mends every repository. `-P` keeps Python from importing what
lies in the checked-out repository.
"""
