"""Lessons: a story, packets, and what each reading of the rules says to them; see docs/lessons.md.

`catalog` finds them, `read` reads lesson.yaml into `lesson`'s objects, `packets` makes their packets, `scene` judges
them, `check` holds a lesson to what its author expects, `grade` marks a learner's rules, `run` and `texts` are the
terminal. The lessons that come with eniwall are the folders of `courses`. Nothing but `run` prints.
"""
