"""The parts of the sentences that training sees."""

from persona_memory.world.forms.parts import Parts

ACTS: dict[str, Parts] = {
    "new": Parts(
        (
            "", "By the way, ", "You know, ", "Just so you know, ", "I want you to know that ", "Please remember: ",
            "I should tell you that ", "Well, ", "It is a fact that ", "Let me tell you: ", "To be clear, ",
        ),
        (
            "{ref} is {v}", "{ref}, that is {v}", "for {ref} the answer is {v}", "{ref} would be {v}",
            "as to {ref}, it is {v}", "the one thing that counts as {ref} is {v}", "{says}", "the truth is that {says}",
        ),
        (".", ", you know.", ", and that is a fact.", ", please remember it.", ", as you should know.", "!", ", of course.",
         ", so be it."),
    ),
    "repeat": Parts(
        ("As I said, ", "Again: ", "I said it before: ", "Once more, ", "You know it by now: ", "As before, ",
         "I tell you again that "),
        (
            "{ref} is {v}", "{ref} is still {v}", "for {ref} the answer is still {v}", "{says}",
            "it is still true that {says}",
        ),
        (".", ", as I said.", ", you know that.", ", the same as before.", "!", ", still."),
    ),
    "shift": Parts(
        ("", "From now on, ", "Things changed: ", "Listen, it changed: ", "Here is something new: ", "Since last week, ",
         "It is different now: ", "Please forget what I said before: "),
        (
            "{ref} is {v} now", "{ref} is now {v}", "{ref} is no longer {old} but {v}",
            "{ref} changed from {old} to {v}", "now {says}", "these days {says}", "{ref} became {v}",
        ),
        (".", ", for good.", ", and that will last.", ", from now on.", "!", ", so please remember the new one."),
    ),
    "one_off": Parts(
        ("", "Just for today, ", "Only this once, ", "For one day only, ", "As a joke for today, ", "Well, only today, "),
        (
            "{v} stands in for {ref}", "I make an exception: {v} for {ref}", "instead of {ref} it is {v}",
            "{v} replaces {ref} for a day", "let {v} be instead of {ref}", "as an exception, {v} stands in for {ref}",
        ),
        (", only today.", ", just this once.", ", it will not last.", ", tomorrow all is as before.", ", for a day, no longer.",
         ", as an exception."),
    ),
    "open": Parts(
        ("", "Tell me: ", "Please, ", "By the way, ", "Well, ", "Listen, ", "One more thing: ", "Again: "),
        (
            "what is {ref}", "what would be {ref}", "do you know {ref}", "do you remember {ref}", "can you tell me {ref}",
            "what did I say is {ref}", "what counts as {ref}", "do you know {asks}", "do you remember {asks}",
            "can you tell me {asks}", "what did I say about {asks}",
        ),
        ("?", ", please?", " again?", ", by the way?", ", do you know?", ", as I said before?"),
    ),
    "need": Parts(
        ("", "Please, ", "By the way, ", "Well, ", "Listen, ", "One more thing: "),
        ("do you know {need}", "can you tell me {need}", "I want to know {need}, so what is it", "what do you say, {need}",
         "I am not sure {need}, so what is it"),
        ("?", ", please?", ", by the way?", ", do you know?", " now?"),
    ),
    "updated": Parts(
        ("", "Tell me: ", "Please, ", "By the way, ", "Well, ", "Since it changed: "),
        ("what is {ref} now", "what is {ref} these days", "what became of {ref}, so what is it now",
         "what is now {ref}", "do you know {asks} now", "can you tell me {asks} these days"),
        ("?", ", please?", ", by the way?", ", as I said?", ", do you know?"),
    ),
    "previous": Parts(
        ("", "Tell me: ", "Please, ", "By the way, ", "Well, ", "One more thing: "),
        ("what was {ref} before", "what was {ref} before it changed", "what did I say first about {ref}", "what is the old {ref}, no longer true now",
         "from what did {ref} change"),
        ("?", ", please?", ", by the way?", ", do you remember?", ", do you know?"),
    ),
    "yes_no": Parts(
        ("", "Tell me: ", "Please, ", "By the way, ", "Well, ", "To be clear, "),
        ("is {ref} {v}", "is {v} {ref}", "is it true that {ref} is {v}", "did I say that {ref} is {v}", "do you remember {ref} to be {v}",
         "is it true that {says}", "did I say that {says}"),
        ("?", ", please?", ", by the way?", ", yes or no?", ", do you know?"),
    ),
    "inverse": Parts(
        ("", "Tell me: ", "Please, ", "By the way, ", "Well, ", "One more thing: "),
        ("whose {noun} is {v}", "who has {v} as {noun}", "whose {noun} did I say is {v}", "{v} is the {noun} of whom", "{who}", "do you know {who}"),
        ("?", ", please?", ", by the way?", ", do you know?", ", as I said before?"),
    ),
}  # fmt: skip
