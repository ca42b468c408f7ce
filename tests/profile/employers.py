"""How people say that they leave, change or begin a job, and what only sounds like it.

Each row: what was told in an earlier session, what is said now, and the fields that are judged: their values after it.
All rows were written before the rules for them, from how people talk, and then dealt at random: `OPEN` was looked at
while the rules were made, `HELD_OUT` was not, and is there to tell how well they hold for others.
"""

from __future__ import annotations

from typing import Final

from .changes import FIRM, JOB, SIEMENS, After

Row = tuple[str, str, After]

WELDER: Final = "I'm a welder at Siemens."
DELOITTE: Final = "I work at Deloitte."
BAKERY: Final = "I work at a bakery."
HOSPITAL: Final = "I work as a nurse at St Mary's Hospital."
PILOT: Final = "I work for Lufthansa as a pilot."
LIBRARY: Final = "I work at the city library."
GONE: Final[After] = {FIRM: [], JOB: []}
NO_FIRM: Final[After] = {FIRM: []}
AT_BOSCH: Final[After] = {FIRM: ["Bosch"]}
KEPT: Final[After] = {FIRM: ["Siemens"], JOB: ["welder"]}

OPEN: Final[list[Row]] = [
    (WELDER, "I got let go.", GONE),
    (SIEMENS, "I was made redundant in spring.", NO_FIRM),
    (HOSPITAL, "My contract at St Mary's ended on Friday.", GONE),
    (SIEMENS, "My last day at Siemens was Friday.", NO_FIRM),
    (PILOT, "I retired from Lufthansa in June.", {FIRM: [], JOB: ["retired"]}),
    (BAKERY, "The bakery I worked at went under.", NO_FIRM),
    (SIEMENS, "I'm not with Siemens anymore.", NO_FIRM),
    (DELOITTE, "Finished up at Deloitte on Thursday, what a relief.", NO_FIRM),
    (DELOITTE, "I finished up at Deloitte.", NO_FIRM),
    (WELDER, "They laid me off.", GONE),
    (WELDER, "Siemens laid off my whole team, me included.", NO_FIRM),
    (SIEMENS, "I resigned yesterday.", NO_FIRM),
    (HOSPITAL, "I walked out of my job at the hospital and I'm not going back.", NO_FIRM),
    (BAKERY, "The bakery closed down, so I'm out of work.", NO_FIRM),
    (WELDER, "I finally quit!", GONE),
    (DELOITTE, "I've been fired from Deloitte.", NO_FIRM),
    (DELOITTE, "Deloitte let me go after the audit season.", NO_FIRM),
    (HOSPITAL, "I took early retirement.", NO_FIRM),
    (LIBRARY, "Yesterday was my last day at the library.", NO_FIRM),
    (SIEMENS, "After nine years at Siemens I decided to leave, and I did.", NO_FIRM),
    (SIEMENS, "I don't work for Siemens any longer.", NO_FIRM),
    (PILOT, "I stopped flying for Lufthansa.", NO_FIRM),
    (SIEMENS, "Siemens didn't renew my contract.", NO_FIRM),
    (SIEMENS, "I've been unemployed since March.", {FIRM: [], JOB: ["unemployed"]}),
    (DELOITTE, "I'm between jobs at the moment.", NO_FIRM),
    (DELOITTE, "I turned in my resignation at Deloitte.", NO_FIRM),
    (BAKERY, "I gave notice at the bakery.", NO_FIRM),
    (SIEMENS, "I used to work at Siemens.", NO_FIRM),
    (DELOITTE, "so, I'm done at Deloitte, thank god", NO_FIRM),
    (BAKERY, "I lost my job at the bakery.", NO_FIRM),
    (SIEMENS, "I joined Bosch.", AT_BOSCH),
    (SIEMENS, "I started at Bosch last week.", AT_BOSCH),
    (SIEMENS, "I'm now at Bosch.", AT_BOSCH),
    (SIEMENS, "I switched over to Bosch.", AT_BOSCH),
    (SIEMENS, "I took a position with Bosch.", AT_BOSCH),
    (SIEMENS, "I got an offer from Bosch and accepted it.", AT_BOSCH),
    (DELOITTE, "I accepted an offer from Bosch.", AT_BOSCH),
    (DELOITTE, "I signed a contract with Bosch, my job there starts today.", AT_BOSCH),
    (SIEMENS, "Today was my first day at Bosch.", AT_BOSCH),
    (DELOITTE, "I've been at Bosch since Monday.", AT_BOSCH),
    (SIEMENS, "I left Siemens for Bosch.", AT_BOSCH),
    (DELOITTE, "I got poached by Bosch.", AT_BOSCH),
    (DELOITTE, "I was recruited by Bosch last month.", AT_BOSCH),
    (BAKERY, "I found a job at a brewery.", {FIRM: ["a brewery"]}),
    (DELOITTE, "I landed a role at Bosch.", AT_BOSCH),
    (SIEMENS, "New job! I'm at Bosch now.", AT_BOSCH),
    (SIEMENS, "I transferred from Siemens to Bosch.", AT_BOSCH),
    (DELOITTE, "I'm working for Bosch as of this week.", AT_BOSCH),
    (SIEMENS, "I came on board at Bosch in May.", AT_BOSCH),
    (SIEMENS, "I work at Bosch now, not at Siemens.", AT_BOSCH),
    (WELDER, "I'm a technician with Bosch these days.", {FIRM: ["Bosch"], JOB: ["technician"]}),
    (DELOITTE, "Since April I've been with Bosch.", AT_BOSCH),
    (WELDER, "My friend left Siemens.", KEPT),
    (WELDER, "My brother just joined Bosch.", KEPT),
    (WELDER, "If I left Siemens, where would I go?", KEPT),
    (WELDER, "I turned down an offer from Bosch.", KEPT),
    (WELDER, "I'm thinking of leaving Siemens.", KEPT),
    (WELDER, "I might switch to Bosch.", KEPT),
    (WELDER, "I used to work at Bosch.", KEPT),
    (WELDER, "I quit my job at the bakery years ago.", KEPT),
    (WELDER, "I applied to Bosch.", KEPT),
    (WELDER, "I have a meeting at Bosch tomorrow.", KEPT),
    (WELDER, "My wife got hired by Bosch.", KEPT),
    (WELDER, "I left work early today.", KEPT),
    (WELDER, "I left the office at six.", KEPT),
    (WELDER, "My colleague was let go.", KEPT),
    (WELDER, "They laid off half the company, but not me.", KEPT),
    (WELDER, "I'd love to work for Bosch.", KEPT),
    (WELDER, "I'm starting at Bosch next month.", KEPT),
    (WELDER, "I started a course at the university last week.", KEPT),
    (WELDER, "My contract with my phone company ended.", KEPT),
    (WELDER, "My gym went under.", KEPT),
    (WELDER, "I retired my old laptop.", KEPT),
    (WELDER, "I quit smoking.", KEPT),
    (WELDER, "I'm at the library now.", KEPT),
    (WELDER, "I'm with my parents now.", KEPT),
    (WELDER, "My last day at the beach was Friday.", KEPT),
    (WELDER, "My first job was at a bakery.", KEPT),
    (WELDER, "I joined Instagram.", KEPT),
    (WELDER, "Siemens and Bosch parted ways.", KEPT),
    (WELDER, "I worked at Bosch for three years before that.", KEPT),
    (WELDER, "I want to hand in my notice.", KEPT),
    (WELDER, "My sister's company went under.", KEPT),
    (WELDER, "I was an intern at Bosch in college.", KEPT),
]

HELD_OUT: Final[list[Row]] = [
    (WELDER, "I handed in my notice at Siemens last week.", GONE),
    (WELDER, "I've left Siemens.", GONE),
    (SIEMENS, "Siemens and I parted ways.", NO_FIRM),
    (SIEMENS, "I got the sack.", NO_FIRM),
    (SIEMENS, "I no longer work there.", NO_FIRM),
    (WELDER, "My position at Siemens was cut.", GONE),
    (WELDER, "My job was eliminated in the restructuring.", GONE),
    (SIEMENS, "I moved on from Siemens to Bosch.", AT_BOSCH),
    (SIEMENS, "Bosch hired me.", AT_BOSCH),
    (SIEMENS, "My new employer is Bosch.", AT_BOSCH),
    (DELOITTE, "Bosch made me an offer and I took it.", AT_BOSCH),
    (SIEMENS, "I've gone over to Bosch.", AT_BOSCH),
    (SIEMENS, "I jumped ship to Bosch.", AT_BOSCH),
    (DELOITTE, "I've been working at Bosch for a month now.", AT_BOSCH),
    (SIEMENS, "I traded Siemens for Bosch.", AT_BOSCH),
    (LIBRARY, "I swapped the library for a bookshop.", {FIRM: ["a bookshop"]}),
    (WELDER, "I got hired at Bosch as a technician.", {FIRM: ["Bosch"], JOB: ["technician"]}),
    (SIEMENS, "These days I work for Bosch.", AT_BOSCH),
    (SIEMENS, "I quit Siemens and went to Bosch.", AT_BOSCH),
    (DELOITTE, "I'm employed at Bosch now.", AT_BOSCH),
    (SIEMENS, "I've changed employers: it's Bosch now.", AT_BOSCH),
    (SIEMENS, "My job is at Bosch now.", AT_BOSCH),
    (SIEMENS, "I went back to work at Lufthansa.", {FIRM: ["Lufthansa"]}),
    (DELOITTE, "I got the job at Bosch!", AT_BOSCH),
    (DELOITTE, "I got the job! Bosch took me on.", AT_BOSCH),
    (LIBRARY, "I said goodbye to the library and joined a museum.", {FIRM: ["a museum"]}),
    (SIEMENS, "Left Siemens, now at Bosch.", AT_BOSCH),
    (WELDER, "I got an offer from Bosch but I declined it.", KEPT),
    (WELDER, "I left Bosch in 2015.", KEPT),
    (WELDER, "I was laid off from Bosch back in 2009.", KEPT),
    (WELDER, "When I was twenty I got fired from a pub.", KEPT),
    (WELDER, "I had an interview at Bosch.", KEPT),
    (WELDER, "I nearly handed in my notice.", KEPT),
    (WELDER, "I haven't quit.", KEPT),
    (WELDER, "Should I accept the offer from Bosch?", KEPT),
    (WELDER, "I joined a gym.", KEPT),
    (WELDER, "I switched over to Linux.", KEPT),
    (WELDER, "I moved on from my ex.", KEPT),
    (WELDER, "My contract with Siemens was renewed.", KEPT),
    (WELDER, "The café next to Siemens went under.", KEPT),
    (WELDER, "I quit my part-time gig at the pub ages ago.", KEPT),
    (WELDER, "Bosch rejected me.", KEPT),
]
