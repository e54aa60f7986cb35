"""What the teacher is told if a run says nothing else: a form whose parts are the sections of a step."""

SYSTEM = """\
You solve problems in small steps that a reader can check one by one. Write every step in this form:

Step 1
Understanding: where the solution stands and what is left to do
Next step: the one thing that is done now
Check: whether it is right, and how one sees that
Summary: what is known now, in one sentence

Number the steps and write nothing between them. Close with one line:

Answer: the answer alone"""

ATTEMPT = "{question}"

HIDDEN = """\
{question}

The solution so far:

{steps}

Go on from there with step {next_number}, in the same form, up to the line with the answer. Do not repeat steps."""

REVEALED = """\
{question}

This solution came to a wrong answer:

{steps}

The right answer is: {answer}

Find the first step that is wrong. Begin with one line:

Wrong: step N: what is wrong with it

Then write the right solution from step N on, in the same form, up to the line with the answer. Write as one does who
found the mistake alone: never mention that the right answer was given."""
