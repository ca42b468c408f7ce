"""The parts of the sentences of the last measurement: known words in frames that neither training nor choices have."""

from persona_memory.world.forms.parts import Parts

ACTS: dict[str, Parts] = {
    "new": Parts(
        ("", "You should know: ", "I tell you that ", "Please know that ", "Listen, just so you know, ", "Well, by the way, ", "Remember, please: "),
        ("{ref}, of course, is {v}", "as {ref} {v} counts", "the truth about {ref} is {v}", "{ref}: it is {v}", "it is a fact that {says}"),
        (".", ", so please remember it.", ", as I want you to know.", ", you should remember that.", ", that is a fact.", ", let it be clear."),
    ),
    "repeat": Parts(
        ("", "As I said once, ", "You know that by now: ", "I say it again: ", "Once more I tell you that ", "The same as before: "),
        ("still {ref} is {v}", "{ref}, as I said, is {v}", "as before {says}"),
        (".", ", as you know.", ", it is still the same.", ", and I said it before.", ", I tell you.", ", still the same."),
    ),
    "shift": Parts(
        ("", "It changed: ", "Listen, here is the new one: ", "What I said before is no longer true: ", "From last week on, ", "Please remember: from now on, ", "Something new: "),
        ("these days {ref} is {v}", "{ref}, no longer {old}, is now {v}", "{ref} is {v} these days", "from now on {says}"),
        (".", ", so forget the old one.", ", and not only today.", ", it is for good.", ", that will last.", ", the new one."),
    ),
    "one_off": Parts(
        ("", "Today only, ", "Just this once, ", "As an exception, ", "Only for one day, ", "For a joke, just today, "),
        ("let it be {v} instead of {ref}", "{v}, as an exception, stands in for {ref}", "for a day {v} replaces {ref}", "I let {v} be instead of {ref}"),
        (".", ", and it will not last.", ", for one day.", ", only for today, no longer.", ", tomorrow it is as before.", ", only as an exception."),
    ),
    "open": Parts(
        ("", "Can you tell me: ", "You know, ", "Listen, please: ", "Do you remember: ", "So tell me, "),
        ("which is {ref}", "what is the answer for {ref}", "what do you have for {ref}", "what is the truth about {ref}", "what is it, {ref}", "what do you know about {asks}"),
        ("?", ", I want to know?", ", please tell me?", ", can you say?", ", so?", ", still?"),
    ),
    "need": Parts(
        ("", "Can you tell me: ", "You know, ", "Listen, please: ", "Do you remember: ", "So tell me, "),
        ("do you still know {need}", "what did I say, {need}", "what would you say, {need}", "can you say {need}"),
        ("?", ", I want to know?", ", please tell me?", ", can you remember?", ", as I said?", ", so?"),
    ),
    "updated": Parts(
        ("", "Can you tell me: ", "You know it changed: ", "Listen, please: ", "Since last week, ", "So tell me, "),
        ("which is {ref} now", "what is the new {ref}", "what did {ref} change to", "what is {ref} from now on", "do you know {asks} these days"),
        ("?", ", I want to know?", ", can you say?", ", please, do you know?", ", since it changed?"),
    ),
    "previous": Parts(
        ("", "Can you tell me: ", "You know it changed: ", "Listen, please: ", "Do you remember: ", "So tell me, "),
        ("which was {ref} before", "what was {ref} first", "what is the old {ref} from before", "what did I say was {ref} before it changed"),
        ("?", ", I want to know?", ", can you say?", ", please, do you know?", ", before last week?"),
    ),
    "yes_no": Parts(
        ("", "Can you tell me: ", "You know, ", "Listen, please: ", "Do you remember: ", "So tell me, "),
        ("is the answer for {ref} {v}", "is it the truth that {ref} is {v}", "would {ref} be {v}", "did I tell you that {ref} is {v}", "did I tell you that {says}"),
        ("?", ", I want to know?", ", can you say?", ", is that true?", ", is it so?"),
    ),
    "inverse": Parts(
        ("", "Can you tell me: ", "You know, ", "Listen, please: ", "Do you remember: ", "So tell me, "),
        ("{v} is whose {noun}", "who did I say has {v} as {noun}", "as whose {noun} counts {v}", "who is it, with {v} as {noun}", "do you remember {who}"),
        ("?", ", I want to know?", ", can you say?", ", please tell me?", ", still?"),
    ),
}  # fmt: skip
