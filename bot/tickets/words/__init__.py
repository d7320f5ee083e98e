"""What the rules answer: every sentence by which they refuse, and the words of lists and figures they make.

Here to be changed or translated, a module for each topic. All of it is plain text, escaped where it is shown; a verb
of the desk that a person is to type stands in it in code marks.
"""
