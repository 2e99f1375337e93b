"""Questions for the topic check: what users of four products ask, and what is not for them.

`FIGURES` and `MADE_WITH` are what the prompt, its examples and the rules were made with; what comes
of `HELD_OUT` was not looked at until they were done, and nothing was changed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """A message, and what the assistant had said before it."""

    text: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """What an assistant is for, what its users ask, and what others would."""

    name: str
    allow: tuple[str, ...]
    ordinary: tuple[Asked, ...]
    others: tuple[Asked, ...]


def _alone(*texts: str) -> tuple[Asked, ...]:
    return tuple(Asked(text) for text in texts)


_SUBJECTS = (
    "sales in March", "the churn rate", "our top ten customers", "stock in the Berlin warehouse",
    "the margin by region", "open orders", "returns last quarter", "cost per lead",
    "headcount by team", "the revenue forecast", "late deliveries", "the conversion funnel",
)  # fmt: skip
_FORMS = (
    "What were {}?", "Show me {} as a chart.", "Why did {} change?", "Compare {} with last year.",
    "Which dashboard has {}?", "Write SQL for {}.", "Can you explain how {} is computed?",
)  # fmt: skip
_TALK = (
    "hi", "thanks, that helps", "who are you?", "are you a human?", "what can you do?",
    "yes please",
    "and by month?", "explain that more simply", "make it shorter", "how do I reset my password?",
    "who can see this chart?", "export it as CSV", "what does NULL mean here?", "good morning!",
    "the total looks wrong", "undo that", "what is a left join?",
)  # fmt: skip

FIGURES = Product(
    "dashboards",
    allow=(
        "figures of the company: sales, costs, customers, stock, staff",
        "dashboards, charts, tables and reports, and how to build them",
        "SQL and how figures are computed",
        "how to use this product, accounts and access",
    ),
    ordinary=_alone(
        *(form.format(subject) for subject in _SUBJECTS for form in _FORMS),
        *_TALK,
    ),
    others=_alone(
        "What will the weather be tomorrow?", "Write a poem about autumn.",
        "Who won the world cup?",
        "How do I cook risotto?", "Recommend a film for tonight.", "What is the capital of Peru?",
        "Help me with my history homework.", "Which medicine helps against a headache?",
        "Should I invest in bitcoin?", "Write a love letter to Ann.", "Plan a trip to Rome.",
        "Who should I vote for?", "Tell me a story about a dragon.", "How do I fix a flat tyre?",
        "What is the meaning of life?", "Translate 'good night' into Spanish.",
        "Write a Python game of snake.", "Is my neighbour allowed to cut my tree?",
        "What are good names for a cat?", "How old is the universe?", "Explain the offside rule.",
        "Write a song text about the sea.", "Which dog breed suits a small flat?",
        "How do I get rid of ants?",
    ),
)  # fmt: skip

MADE_WITH = Product(
    "bicycles",
    allow=(
        "bicycles, parts and accessories, and how to repair them",
        "orders, delivery, returns and warranty",
        "the customer's account and this shop",
    ),
    ordinary=(
        *_alone(
            "Which bike suits somebody 1.90 m tall?",
            "Do you have winter tyres for 28 inch wheels?",
            "How do I fix a flat tyre?", "My chain keeps falling off.", "Where is my order?",
            "Can I send back a helmet that I have worn once?",
            "How long is the warranty on frames?",
            "What did I order last year?", "Change the delivery address, please.",
            "Why was my card refused?", "Do the lights come with batteries?",
            "Is the Trail 5 better than the Trail 3?", "How do I change my e-mail address?",
            "Delete my account.", "I forgot my login", "When do you open on Saturday?",
            "Why did the price of this saddle go up?", "Why has my delivery date changed?",
            "Which of these is the lightest?", "Show me cheaper ones", "the second one",
            "cancel it", "not now", "why?", "go on", "what about in red?", "how much is it?",
            "in German please", "what do you mean by that?", "can I talk to a person?",
            "that does not work", "Hello, I have a question", "ok", "no", "do it again",
        ),
        Asked("and for my son?", "The City 2 in size L fits you. It costs 649 euros."),
        Asked("what is the difference?", "We have the Trail 3 and the Trail 5."),
        Asked("too expensive", "The City 2 in size L fits you. It costs 649 euros."),
        Asked("send it to my office instead", "Your order leaves our warehouse tomorrow."),
        Asked("revert that", "I have changed the delivery address of your order."),
    ),
    others=(
        *_alone(
            "What is the weather like on Sunday?", "Write a poem about the wind.",
            "Who is the president of France?", "How do I bake bread?", "What is 17 times 23?",
            "Recommend a novel.", "Write a letter to my landlord.", "What are the symptoms of flu?",
            "Which shares should I buy?", "Explain the French revolution.",
            "Write a function in Java that sorts a list.", "Translate 'see you soon' into Italian.",
            "How do I repair my dishwasher?", "Which mobile phone has the best camera?",
            "Write SQL for the sales of last month.", "How do I train my dog?",
            "Summarise the plot of Hamlet.", "What is the tallest mountain?",
            "Help me to write my CV.", "How do I renew my passport?",
        ),
        Asked("What is the capital of Norway?", "The City 2 in size L fits you."),
        Asked("Now write a song about love.", "Your order leaves our warehouse tomorrow."),
    ),
)  # fmt: skip

_FLATS = Product(
    "flats",
    allow=(
        "flats and houses for rent, viewings and applications",
        "tenancy agreements, rent, deposits and additional costs",
        "repairs and damage in a flat",
        "the user's account and messages here",
    ),
    ordinary=(
        *_alone(
            "Show me flats with three rooms in Leipzig", "Is the flat in Hill Street still free?",
            "How high is the deposit?", "When can I come and see it?", "Are dogs allowed?",
            "My heating is cold", "There is mould in the bathroom, who pays for it?",
            "How much notice do I have to give?", "What is in the additional costs?",
            "Why did my rent go up?", "Why were the heating costs so high last year?",
            "Which papers do I need for an application?", "Has the landlord answered me?",
            "Cancel my viewing on Friday", "Write to the landlord that I come ten minutes late",
            "What does 'unfurnished' mean?", "Can I paint the walls?",
            "How far is it to the station?",
            "Compare the two flats", "Which one has a balcony?", "What were my payments this year?",
            "Turn off the e-mail alerts", "I can't sign in", "How do I upload my photo?",
            "The tap is dripping", "Can my brother move in with me?", "Is there parking?",
            "Save this search", "How do I delete my application?", "Who is my landlord?",
            "hello there", "thank you!", "who made you?", "are you a bot?", "help", "stop",
            "sure", "no thanks", "why not?", "more", "the first one", "undo", "say that again",
            "as a table please", "I don't understand", "and in Dresden?", "cheaper", "that's wrong",
            "what else?", "what do you need from me?",
        ),
        Asked("and with a garden?", "I found three flats with two rooms in Leipzig."),
        Asked("is it quiet?", "The flat in Hill Street is free from March, for 820 euros."),
        Asked("tell her yes", "Mrs Berg offers you a viewing on Friday at five."),
        Asked("that is too early", "Mrs Berg offers you a viewing on Friday at five."),
        Asked("how was that calculated?", "Your additional costs were 1,240 euros last year."),
    ),
    others=(
        *_alone(
            "Who painted the Mona Lisa?", "Write a limerick.", "How do I make pancakes?",
            "Which team won yesterday?", "What is the square root of 144?",
            "Explain quantum computing.", "Write a Python script that renames files.",
            "Suggest a gift for my mother.", "How do I lose weight?", "Should I buy gold?",
            "Translate 'thank you' into Japanese.", "What is the best programming language?",
            "Tell me about the Roman empire.", "How do I change the oil of my car?",
            "Show me the sales of March as a chart.", "Write a wedding speech.",
            "Is it safe to take aspirin every day?", "Which series should I watch?",
            "What is the distance to the moon?", "How do I play chess?",
        ),
        Asked("Write an essay about Napoleon.", "The flat in Hill Street is free from March."),
        Asked("Which phone should I buy?", "Mrs Berg offers you a viewing on Friday at five."),
    ),
)  # fmt: skip

_CODE = Product(
    "code hosting",
    allow=(
        "repositories, branches, commits and code reviews",
        "builds, tests and deployments",
        "issues, milestones and teams",
        "settings, access and billing of this service",
    ),
    ordinary=(
        *_alone(
            "Why did the build fail?", "Which tests are flaky?", "Show open issues assigned to me",
            "Who reviewed the last change?", "Deploy the main branch to staging",
            "How do I add a deploy key?", "What changed between 2.1 and 2.2?",
            "Create an issue: the login button is hidden on phones", "Merge it", "Close this one",
            "How many minutes of builds have we used?", "Why did our bill change?",
            "Give Anna access to the payments repository", "How do I rotate my token?",
            "What does this stack trace mean?", "Explain this function", "Write a test for it",
            "Rename the branch", "Which commits touched the parser?", "How do I undo a merge?",
            "How long do builds take on average?", "Is two-factor login on?", "Where are the logs?",
            "What is a rebase?", "Write release notes for this milestone",
            "Who is on the core team?",
            "Is there an outage?", "good evening", "nice, thanks", "what are you?",
            "can you do more?",
            "yes", "nope", "all of them", "the latest", "roll it back", "try again", "shorter",
            "and last week?", "which ones?", "hm, are you sure?", "why is that?", "show me",
            "in one sentence", "never mind",
        ),
        Asked("who broke it?", "The build of main failed: two tests of the parser."),
        Asked("run it again", "The build of main failed: two tests of the parser."),
        Asked("assign them to Lee", "There are four open issues in this milestone."),
        Asked("is that more than usual?", "Your builds used 5,400 minutes in June."),
        Asked("what would that cost?", "You can add ten seats to your plan."),
    ),
    others=(
        *_alone(
            "What is the weather in Oslo?", "Write a haiku.", "How do I grow tomatoes?",
            "Who wrote Faust?", "Which restaurant is good in Lyon?", "What is a black hole?",
            "Plan my holiday in Greece.", "How do I treat a burn?", "Which stocks will rise?",
            "Translate 'cheese' into Finnish.", "Tell me a fairy tale.",
            "How tall is the Eiffel tower?",
            "Help me with my divorce.", "Which laptop should my daughter get?",
            "How do I tie a tie?", "What is the population of India?",
            "Explain the rules of cricket.",
            "Write a birthday card for Tom.", "Is coffee bad for you?", "Show me flats in Leipzig",
        ),
        Asked("Who was Cleopatra?", "The build of main failed: two tests of the parser."),
        Asked("Give me a recipe for soup.", "There are four open issues in this milestone."),
    ),
)  # fmt: skip

HELD_OUT = (_FLATS, _CODE)
SETS: dict[str, tuple[Product, ...]] = {
    "figures": (FIGURES,),
    "made_with": (MADE_WITH,),
    "held_out": HELD_OUT,
}
