"""Ends processes that can outlive a run.

- A process on this machine asks the kernel to be killed with its parent: ``processes.dies_with``.
- Containers belong to the engine, so a process at the end of a pipe removes them when the pipe ends:
  ``engine.start_reaper``. They are labelled with their ``processes.Owner``; a later run removes those of an owner that
  is dead with its reaper.
- A fabric that ``--keep`` leaves up has a ``keeper`` as its parent, which lets it live once the run has printed how to
  end it.
- A folder that is being filled in the cache has a ``keeper``, too, which removes it when the run dies.
"""
