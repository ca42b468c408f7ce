"""Ana: a designer with a cat, who moves house, changes her diet, and asks that an address be forgotten."""

from __future__ import annotations

from datetime import UTC, datetime

from persona_memory.demo.session import Exchange, Probe, Session

SESSIONS = (
    Session(
        user_id="ana",
        thread_id="ana-2026-03-04",
        title="Hello",
        at=datetime(2026, 3, 4, 18, 30, tzinfo=UTC),
        exchanges=(
            Exchange("Hi there!", "Hello! Nice to meet you. What shall I call you?"),
            Exchange("My name is Ana.", "Nice to meet you, Ana. What do you do?"),
            Exchange(
                "I work as a graphic designer, mostly book covers.",
                "Book covers are a lovely thing to be responsible for. Do you work with a publisher?",
            ),
            Exchange(
                "Freelance for now. I live in Lisbon with my partner Miguel.",
                "A good city for that. Anybody else in the household?",
            ),
            Exchange(
                "We have a cat. My cat is called Pixel, and she sleeps on my keyboard.",
                "A fitting name for a designer's cat. What do you like to do when the keyboard is occupied?",
            ),
            Exchange(
                "I love cooking. My favourite dish is roast chicken with lemon.",
                "A classic. I can suggest sides for it whenever you like.",
            ),
            Exchange("I will hold you to that. Talk soon!", "Talk soon, Ana."),
        ),
        probes=(
            Probe("What is my cat called?", recalls=("Pixel",)),
            Probe("What should I cook on Sunday?", recalls=("roast chicken",)),
        ),
    ),
    Session(
        user_id="ana",
        thread_id="ana-2026-03-28",
        title="A rainy Saturday",
        at=datetime(2026, 3, 28, 10, 5, tzinfo=UTC),
        exchanges=(
            Exchange("Good morning. It has been raining for three days.", "Then it is a day for the kitchen."),
            Exchange(
                "Exactly what I thought. Miguel's parents come for dinner tonight.",
                "How nice. For how many do you cook?",
            ),
            Exchange(
                "Four of us. His mother doesn't eat spicy food, so nothing hot.",
                "Roast chicken with lemon would please everybody, with potatoes and a green salad.",
            ),
            Exchange("Ha, you remembered. What could be a dessert?", "Baked pears with cinnamon, or a rice pudding."),
            Exchange(
                "Rice pudding. By the way, I drink far too much coffee on days like this.",
                "The rain is an excuse. Do you get out at all?",
            ),
            Exchange(
                "I go running by the river three times a week, rain or not.",
                "That explains how you can sit at a desk the rest of the time. You sound like a morning person.",
            ),
            Exchange("Not at all, I run in the evening.", "I stand corrected."),
            Exchange("Right, the oven is calling. Thanks!", "Enjoy the evening."),
        ),
        probes=(Probe("Which sport do I do, and how often?", recalls=("running",)),),
    ),
    Session(
        user_id="ana",
        thread_id="ana-2026-04-22",
        title="A new job",
        at=datetime(2026, 4, 22, 19, 40, tzinfo=UTC),
        exchanges=(
            Exchange("Big news: I got a job at a publishing house in Porto!", "Congratulations! When do you start?"),
            Exchange(
                "On the 4th of May. We are moving in ten days, all three of us.",
                "So Pixel comes along. Is there anything I can help to plan?",
            ),
            Exchange(
                "Yes, a list of what to do before a move, please.",
                "End the electricity contract, forward the post, book the van, tell the vet, pack a first-night box.",
            ),
            Exchange(
                "The vet, good point. Pixel hates the carrier.",
                "Leave it open in the living room from today, with her blanket inside.",
            ),
            Exchange(
                "My new address is Rua das Flores 118, second floor. The van company wants it.",
                "A beautiful street. Do they know that it is on the second floor?",
            ),
            Exchange("I will tell them. Miguel is nervous, he has never left Lisbon.", "That is a big step for both."),
            Exchange(
                "He can work from anywhere, he is a translator.",
                "Then you can exchange notes on deadlines.",
            ),
        ),
        probes=(
            Probe("Which job am I about to start?", recalls=("publishing house",)),
            Probe("Can you remind me of my new address?", recalls=("Rua das Flores",)),
        ),
    ),
    Session(
        user_id="ana",
        thread_id="ana-2026-05-17",
        title="After the move",
        at=datetime(2026, 5, 17, 17, 15, tzinfo=UTC),
        exchanges=(
            Exchange("Hello again. I live in Porto now!", "Welcome to your new city. How did the move go?"),
            Exchange(
                "The van was two hours late, but nothing broke. Pixel hid in the bathtub all day.",
                "She will have inspected every corner by now.",
            ),
            Exchange(
                "She has. Something else: I'm vegetarian now. I stopped eating meat after the move.",
                "Good to know. No more roast chicken, then.",
            ),
            Exchange(
                "No more chicken. My favourite dish is mushroom risotto these days.",
                "A fine successor. The trick is to toast the rice first.",
            ),
            Exchange(
                "Please forget my address, I don't want it stored anywhere.",
                "Of course. I have taken that to heart.",
            ),
            Exchange("Thank you. The office is nice, by the way. I share a room with two editors.", "Good company?"),
            Exchange(
                "Very. One of them, Teresa, runs too. We go on Tuesdays.",
                "A colleague with running shoes is worth a lot.",
            ),
            Exchange("True. Now dinner.", "Enjoy the risotto."),
        ),
        probes=(
            Probe("What should I cook tonight?", recalls=("vegetarian",), never=("Rua das Flores",)),
            Probe("Where do I live?", recalls=("Porto",), never=("Rua das Flores", "118")),
        ),
    ),
    Session(
        user_id="ana",
        thread_id="ana-2026-06-21",
        title="A dinner for six",
        at=datetime(2026, 6, 21, 11, 0, tzinfo=UTC),
        exchanges=(
            Exchange("I need a menu for six people on Saturday.", "With pleasure. What does it have to respect?"),
            Exchange(
                "Vegetarian, of course. And I'm allergic to walnuts.",
                "No walnuts. A cold cucumber soup, then the risotto, then strawberries?",
            ),
            Exchange(
                "Sorry, I was wrong just now: I'm allergic to hazelnuts, not walnuts. I always mix them up.",
                "Hazelnuts it is. The menu has neither.",
            ),
            Exchange("Good. Teresa comes with her husband, and two neighbours.", "And Miguel makes six."),
            Exchange(
                "Miguel wants to make the dessert himself. He is proud of his chocolate mousse.",
                "Then look at the chocolate: many brands contain hazelnuts.",
            ),
            Exchange("Well thought! I would have missed that.", "That is what I am here for."),
            Exchange(
                "I also switched from coffee to green tea, so no espresso at the end.",
                "Mint tea from a pot would look lovely on the table.",
            ),
            Exchange("Perfect. How long does the soup keep?", "Until the next day, well covered in the fridge."),
        ),
        probes=(
            Probe("Which nuts must I avoid?", recalls=("hazelnuts",)),
            Probe("Do I drink coffee or tea?", recalls=("green tea",)),
        ),
    ),
    Session(
        user_id="ana",
        thread_id="ana-2026-08-29",
        title="Shoes and covers",
        at=datetime(2026, 8, 29, 20, 10, tzinfo=UTC),
        exchanges=(
            Exchange("I signed up for the half marathon in September!", "Bravo! How far do you run at present?"),
            Exchange(
                "14 kilometres on Sunday, with Teresa. My knee complained a little.",
                "Give it two easy days, and look at your shoes: how old are they?",
            ),
            Exchange("Older than my job.", "Then they have earned their rest."),
            Exchange(
                "I prefer short answers when I'm on my phone, by the way.",
                "Noted.",
            ),
            Exchange(
                "Work is good. My first cover in print is a novel set on Madeira.",
                "Congratulations!",
            ),
            Exchange("Miguel says he misses the sea in Lisbon. I don't.", "Porto has one, too."),
            Exchange("That's what I told him. We take Pixel's basket along next time.", "She will judge the waves."),
        ),
        probes=(
            Probe("Which marathon am I training for?", recalls=("half marathon",)),
            Probe("Who do I go running with?", recalls=("Teresa",), never=("Biscuit", "Leeds")),
            Probe("Do you know my street?", never=("Rua das Flores",)),
        ),
    ),
)
"""Ana's sessions, oldest first."""
