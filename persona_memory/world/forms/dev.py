"""The parts of the sentences that choices are made on: known words in frames that training does not have."""

from persona_memory.world.forms.parts import Parts

ACTS: dict[str, Parts] = {
    "new": Parts(
        ("", "Let me tell you that ", "Please, just so you know: ", "Of course, ", "I want to be clear: ", "By the way, you should know that ", "So you know it: "),
        ("{ref}, you know, is {v}", "the answer for {ref} is {v}", "it is a fact that {ref} is {v}", "what counts as {ref} is {v}", "it is true that {says}"),
        (".", ", remember that.", ", that is the truth.", ", just so you know.", ", and you should remember it.", ", let me tell you."),
    ),
    "repeat": Parts(
        ("", "I tell you once more: ", "By now you know that ", "Before, I said it: ", "As you know by now, ", "Still, as I said: "),
        ("{ref} is {v}, still", "the answer for {ref} is still {v}", "still it is true that {says}"),
        (".", ", again.", ", as I said before.", ", you should know that by now.", ", once more.", ", the same."),
    ),
    "shift": Parts(
        ("", "Something changed: ", "Please remember the new thing: ", "Forget what I said: ", "Now it is different: ", "Here it changed: ", "Well, from now on "),
        ("now {ref} is {v}", "{ref} became {v} these days", "{ref} is not {old}, now it is {v}", "{says} now"),
        (".", ", and that is new.", ", and it will last.", ", for good, please remember.", ", no longer as before.", ", since last week."),
    ),
    "one_off": Parts(
        ("", "For today only, ", "This once, ", "Just as a joke, ", "I make an exception for today: ", "Only for a day, "),
        ("for {ref} {v} stands in", "it is {v} instead of {ref}", "let {v} be an exception for {ref}", "{v} stands in instead of {ref}"),
        (".", ", and tomorrow as before.", ", only this once.", ", not for good.", ", it will be as before tomorrow.", ", for today."),
    ),
    "open": Parts(
        ("", "Please tell me: ", "I want to know: ", "So, ", "Once more, please: ", "Listen, by the way, "),
        ("what do you know to be {ref}", "can you remember {ref}", "what is it that counts as {ref}", "what do you remember as {ref}", "can you remember {asks}", "do you still know {asks}"),
        ("?", ", tell me?", ", you know?", " by the way, please?", ", once more?", ", do you remember?"),
    ),
    "need": Parts(
        ("", "Please tell me: ", "So, ", "I want to know: ", "Once more, please: ", "Listen, by the way, "),
        ("can you remember {need}", "do you remember {need}", "what is it that you say, {need}", "I want to be sure {need}, so what is it"),
        ("?", ", tell me?", ", please, do you know?", ", you know?", ", so?", ", so what is it?"),
    ),
    "updated": Parts(
        ("", "Please tell me: ", "Now that it changed, ", "So, ", "Things changed, so ", "Listen, "),
        ("what is it now, {ref}", "these days, what is {ref}", "what do you know to be {ref} now", "{ref} changed, so what is it now", "now can you tell me {asks}"),
        ("?", ", tell me?", ", you know?", ", please tell me?", ", do you remember?"),
    ),
    "previous": Parts(
        ("", "Please tell me: ", "So, ", "I want to know: ", "Before it changed, ", "Listen, "),
        ("what was it before, {ref}", "what did {ref} change from", "what did I say before about {ref}, no longer true", "what was the old {ref}"),
        ("?", ", tell me?", ", you know?", " before now?", ", can you remember?"),
    ),
    "yes_no": Parts(
        ("", "Please tell me: ", "So, ", "I want to know: ", "Yes or no: ", "Listen, "),
        ("is it a fact that {ref} is {v}", "is it {v} that is {ref}", "do you know {ref} to be {v}", "is it so that {ref} is {v}", "is it so that {says}"),
        ("?", ", tell me?", ", yes?", ", you know?", ", please, yes or no?"),
    ),
    "inverse": Parts(
        ("", "Please tell me: ", "So, ", "I want to know: ", "Do you know: ", "Listen, "),
        ("of whom is {v} the {noun}", "who is it that has {v} as {noun}", "as I said, whose {noun} is {v}", "who, as I said, has {v} as {noun}", "can you tell me {who}"),
        ("?", ", tell me?", ", you know?", ", do you remember?", " again, please?"),
    ),
}  # fmt: skip
