"""Ben: a student with a tutor for programming and mathematics, first confused, later not, later a little rusty."""

from __future__ import annotations

from datetime import UTC, datetime

from persona_memory.demo.session import Exchange, Probe, Session

SESSIONS = (
    Session(
        user_id="ben",
        thread_id="ben-2026-03-09",
        title="What is recursion?",
        at=datetime(2026, 3, 9, 16, 0, tzinfo=UTC),
        exchanges=(
            Exchange("Hi, my name is Ben.", "Hello Ben. What are we working on?"),
            Exchange(
                "I study computer science in Leeds, first year. I don't understand recursion.",
                "Recursion is a function that calls itself on a smaller problem. Have you seen the factorial?",
            ),
            Exchange(
                "Yes, but I'm confused about recursion: why does it not go on forever?",
                "Because of the base case: factorial(0) is 1 and calls nothing. Each call comes one step closer to it.",
            ),
            Exchange(
                "So factorial(3) is factorial(2) plus 3?",
                "Times 3, not plus. 3 times factorial(2), that is 3 times 2 times factorial(1), and so on.",
            ),
            Exchange(
                "I got that wrong, then. Where do the intermediate results live?",
                "On the call stack: each call waits for the one it made, with its own n.",
            ),
            Exchange(
                "Please keep it short, I prefer short answers with an example.",
                "Understood: short, with an example.",
            ),
            Exchange("Thanks, I have to walk my dog. Biscuit gets impatient.", "Greetings to Biscuit."),
        ),
        probes=(
            Probe("How do I like my answers?", recalls=("short answers",)),
            Probe("Do I have a cat?", never=("Pixel",)),
        ),
    ),
    Session(
        user_id="ben",
        thread_id="ben-2026-03-19",
        title="Recursion, again",
        at=datetime(2026, 3, 19, 15, 30, tzinfo=UTC),
        exchanges=(
            Exchange(
                "Me again. I still don't get recursion on lists.", "Take the sum of a list. What is its smallest case?"
            ),
            Exchange("One element?", "Smaller still: the empty list. Its sum is 0. Now a longer list?"),
            Exchange(
                "The first element plus the sum of the rest?",
                "Exactly: sum([4, 1, 2]) is 4 + sum([1, 2]).",
            ),
            Exchange("Ah, I understand base cases now.", "Then try the length of a list."),
            Exchange(
                "def length(xs): return 0 if not xs else 1 + length(xs[1:])",
                "Correct. Base case, smaller problem, combination: all there.",
            ),
            Exchange("Nice. Now I'm hungry. I like cooking, but with a student's budget.", "Lentils are your friend."),
            Exchange("My brother Tom makes a great lentil curry. I'll ask him.", "Bring me the recipe."),
        ),
        probes=(Probe("Have I understood the base case?", recalls=("base case",)),),
    ),
    Session(
        user_id="ben",
        thread_id="ben-2026-04-15",
        title="Derivatives",
        at=datetime(2026, 4, 15, 17, 20, tzinfo=UTC),
        exchanges=(
            Exchange(
                "Maths today. Can you explain derivatives?", "A derivative is a slope: of x² it is 2x, so 6 at x = 3."
            ),
            Exchange(
                "Okay. And the derivative of x cubed is x squared?",
                "Almost: the exponent comes down as a factor. 3x².",
            ),
            Exchange("So of x to the 5 it is 5x to the 4.", "Correct."),
            Exchange(
                "I don't understand the chain rule at all.",
                "Outer derivative times inner derivative. (3x + 1)² gives 2(3x + 1) · 3.",
            ),
            Exchange(
                "So the derivative of sin(2x) is cos(2x)?",
                "The inner derivative is missing: 2cos(2x).",
            ),
            Exchange("I keep forgetting the inner part.", "Say it aloud: outer times inner. (5x)³?"),
            Exchange("3 times 5x squared... times 5?", "Yes, 15(5x)²."),
            Exchange("My maths exam is on 12 June. I need more of these.", "Then we do three a week until then."),
        ),
        probes=(
            Probe("When is my maths exam?", recalls=("12 June",)),
            Probe("Do I understand the chain rule?", recalls=("chain rule",)),
        ),
    ),
    Session(
        user_id="ben",
        thread_id="ben-2026-05-06",
        title="Trees and fractions",
        at=datetime(2026, 5, 6, 14, 45, tzinfo=UTC),
        exchanges=(
            Exchange("I solved the tree exercise with recursion on my own!", "Show me."),
            Exchange(
                "def depth(tree): return 0 if tree is None else 1 + max(depth(tree.left), depth(tree.right))",
                "Perfect, and elegantly short.",
            ),
            Exchange("Recursion is easy for me now.", "It shows."),
            Exchange(
                "In the interview for the tutoring job they asked me about fractions, of all things.",
                "What was the question?",
            ),
            Exchange(
                "1/2 plus 1/3, and I said 2/5 in my panic.", "A classic. A common denominator first: 3/6 + 2/6 = 5/6."
            ),
            Exchange("I know, I know. Then 1/4 plus 1/6 is 5/12.", "Correct."),
            Exchange(
                "Another thing: my maths exam is on 19 June, not on 12 June. They moved it.",
                "A week more. Noted.",
            ),
        ),
        probes=(
            Probe("When is my maths exam?", recalls=("19 June",)),
            Probe("Am I good at recursion by now?", recalls=("recursion",)),
        ),
    ),
    Session(
        user_id="ben",
        thread_id="ben-2026-06-10",
        title="Before the exam",
        at=datetime(2026, 6, 10, 18, 0, tzinfo=UTC),
        exchanges=(
            Exchange("Nine days to go. Ask me something about the chain rule.", "Derive (x² + 1)³."),
            Exchange("3(x² + 1)² times 2x, so 6x(x² + 1)².", "Correct, inner derivative and all."),
            Exchange("I understand the chain rule now. And the product rule?", "(uv)' = u'v + uv'. Try x·sin(x)."),
            Exchange("sin(x) + x cos(x).", "Correct."),
            Exchange("Great. What is for dinner at your place?", "Electricity. And at yours?"),
            Exchange("Tom's lentil curry. I'm allergic to peanuts, so he leaves them out.", "A considerate brother."),
            Exchange("Biscuit gets the rice. Good night!", "Good night, and good luck on the 19th."),
        ),
        probes=(
            Probe("Which curry could I cook tonight?", recalls=("lentil curry",), never=("risotto", "Porto", "Miguel")),
            Probe("What may I not eat?", recalls=("peanuts",), never=("hazelnuts",)),
        ),
    ),
    Session(
        user_id="ben",
        thread_id="ben-2026-09-14",
        title="After the summer",
        at=datetime(2026, 9, 14, 13, 10, tzinfo=UTC),
        exchanges=(
            Exchange("Hello! I passed the maths exam with a 68.", "Well done! And the summer?"),
            Exchange("I worked in my uncle's bakery, and did no maths at all.", "Then let us see what is left."),
            Exchange("The derivative of cos(3x)... -sin(3x)?", "The inner derivative is missing: -3sin(3x)."),
            Exchange("I forgot the chain rule! That took me weeks in spring.", "It comes back faster. e to the 2x?"),
            Exchange("2e to the 2x.", "Correct."),
            Exchange("Good. This term we use Java instead of Python.", "Recursion looks the same there."),
            Exchange("I moved out of the halls. I live with Tom now, still in Leeds.", "And with his curry."),
            Exchange("And with Biscuit, who is fat now.", "Longer walks, then."),
        ),
        probes=(
            Probe("Which programming language do we use this term?", recalls=("Java",)),
            Probe("Should I repeat the chain rule?", recalls=("chain rule",), never=("half marathon",)),
        ),
    ),
)
"""Ben's sessions, oldest first."""
