"""English words and letter pairs that every general vocabulary of 30,000 tokens or more is sure to hold.

Both sets were intersected over nine published vocabularies: cl100k, o200k and p50k (OpenAI), Claude 2, DeepSeek-V3,
Qwen, Mistral 7B (32,000 pieces, as Llama 2's), Mistral's Tekken, and BERT's word pieces. They are data for `tokens`.
"""

from __future__ import annotations

WORDS = frozenset(
    """
a ability able about above absolute academic accept accepted access accident According according account accuracy
accurate ace achieve achieved acid across Act act action actions active activities activity acts actual actually Add
add added adding addition Additional additional Address address adjust admitted adult adults advance advanced
advantage advice affect After after afternoon again against age agency agent aggregate ago agree agreed agreement
ahead air align All all allow allowed allows alone along already also alternative Although always am amazing among
amount An an analysis And and animals annual another answer Any any anyone anything apartment appeal appears
application applications applied apply appreciate approach appropriate approximately April Are are area areas
argument around arrest arrested art As as ask asked asking aspects assess assistance assistant associated
association At at atmosphere attack attempt attention attorney audience audit August authority availability
available average avoid await aware away back background bad bag bags balance ball balls bank bar base baseball
Based based basic basis Be be beautiful became because become becomes been Before before began beginning behavior
behind being believe believed below beneficial benefit benefits Best best better between beyond bias bid big bill
birth birthday bit black blend block blocks blood blue board body bond book books Both both bought box boxes boy
brain bread break breaks brief bring brings brother brought budget build building built business busy But but buy
buying By by cache calculate calculated calculation calendar call called calls came campaign Can can candidate
candidates cannot capacity capital car card cards care career carry cars case cases cash catch caught cause caused
causes causing cell cells center central century certain challenge challenges challenging chance change changed
changes character characteristic characteristics characters charge charged charges chat Check check cheese chicken
child children choice choose circumstances cities citizens city civil claim claims class classes clause clear
clearly client clients close closely club cm code coin collaboration collected collection college color combinations
combined come comes comfortable coming commerce commercial commit commitment committed common communicate
communication community company compared complete completed completely complex compliance comprehensive computer
concentration concept concepts concerned concerning concerns conclusion condition conditions conduct conducted
confidence confident conflict connected connection consent Consider consider consideration considered considering
consistent consists console constant construction consumer consumption contact contain contained contains content
context continue continued continuous contract contribute control conversation conversations cookies cool core
correct correctly cost costs could count countries country counts county course Court court cover cream Create
create created creating creation creative crime criminal critical crucial cultural culture Current current currently
curve custom customer customers cut cy cycle daily damage dance Data data date daughter day days death December
decide decided decision decisions deck decrease deep defense defined definitely degree degrees delay delivered
delivery demand demonstrate department dependent deployment depth describe described describes description design
designed detail detailed details determine determined determining develop developed developer developing development
device devices did die died difference different difficult difficulty digital dinner direct direction directly
discount discovered discuss discussion discussions disease dishes disorder display distance distribution diverse
diversity divide divided Do do doctor document documentary documentation documents Does does dog dogs doing dollars
domain domestic done door double down download dozen draft draw drawing drawn drinks drive driver driving drove drug
drugs due During during duty Each each eager earlier early earn earned Earth easily easy eat economic economy
editing education effect effective effectively effectiveness effects efficiency efficient effort efforts eggs either
election element elements else email emergency emotional emotions employee employees employment end energy engage
engaged engagement engaging English enhance enjoy enough ensure ensures ensuring enter entered entire entitled
environment environmental equal equally equals equation error errors especially essential establish established
estate estimate etc ethical evaluation even evening event events ever every everyone everything evidence exactly
examination Example example examples except exception exchange excited exclusive exercise exercises exist existing
exists expected expenses experience experiences experiment explain explore express expressed expression external
extra eye eyes face fact factor factors facts failed failure fair fall falls false Family family fantasy far farm
faster father favorite feature features February federal fee feed feedback feel feeling feelings feels feet fell
felt female few fewer fiction field fields figure file filed files fill filled film Final final financial Find find
finding findings finish finished fire firm First first fish fit five fixed floor flow focus focused focusing follow
following follows food football For for force forces foreign form format formats formed former forms formula forward
found foundation four fraction Free free freedom frequency frequently fresh Friday friend friends From from front ft
full fully fun function funds further future gain game games gap gas gather gave gender general generally get gets
getting gift girl girls give Given given gives giving glad glass glasses global go goal goals goes going gold gonna
Good good goods got government grade grant Great great greater greatest green ground Group group groups grow growth
guests guidance guide guidelines guilty gun had half hand handle handling hands happened happiness happy hard harm
has Have have having He he head heads health healthy hear heard hearing heart heat height held help helped helpful
helping helps Her her Here here high higher highest highly him himself His his historical history hit hold holds
home hope hospital hot hour hours house How how However however Human human humans hundred husband I ice idea ideas
identified identify identity If if image images immediate immediately impact implement implementation implementing
import importance important improve improved improvement improvements improving In in incident include included
includes including income increase increased increases increasing independent individual individuals industry
influence information informed initial initially injured injuries injury input inside insights inspired instead
instruction instructions insurance integrate intended intent interest interested interesting interests internal
international interview interviews into invalid investment invite involved involves involving Is is issue issues It
it items its itself January job join joint journey joy judge judgment July June jury just justice Keep keep kept Key
key kg kids killed kind King king knew know knowledge known labor lack land language large larger last late later
law laws layout lead leadership leading learn learned learning least leave leaves leaving led left legal length less
Let let letter level levels library life lift light like likely limit limited line lines list listening little live
lived lives living load loading local located location logic long longer Look look looking looks lose loss lost lot
lots love loved low lower luck lunch machine made main maintain maintaining major Make make makes making male man
manage management manager managers managing manner manufacturer many March marginal market marketing mass material
materials math matter matters maximum May may me meal mean meaning meaningful means measure measures meat mechanism
Media media medical meet meeting meetings member members memories memory men mental mentioned message messages met
metal method methods might miles military milk million mind minimum minute minutes mistake mm model modern moment
moments money monitor month monthly months moral more morning most mother motion motivated motivation move moved
movement movie movies moving much multiple murder muscle music must My my myself name narrative nation national
nations natural nature near necessary need needed needs negative neighbor net network never New new news Next next
nice night No no nor normal Not not note noted notes nothing notice noticed novel Now now null number numbers object
objectives objects obligation observed obtain obtained occur occurred occurs of off offer offered offers office
officer often old older oldest On on once One one ones ongoing online only onto open opening operation opinion
opportunities opportunity option options or order ordered ordinary organization organizations organized original
other others our out outcome outcomes output outside over overall own owned owner package page pages paid pain
painting pair pairs paper parents park parking part participants participate particular particularly parties partner
parts party passage passed passion past path patient patients pattern pay paying payment peace pens pension people
percent percentage perfect perform performance performed period permit person Personal personal personality persons
perspective phone photo physical physician pic piece pieces pilot place placed places Plan plan planned planning
plans plant plates platforms play player players playing Please please plus point points police policies policy
political pool poor population portfolio position positive possession possible potential pounds power powerful
powers practical practice practices prefer prepare prepared preparing presence present presents President president
pressure prevent previous price prices primary principle principles print prior private probability problem problems
procedures process processes produce produced producer product production productivity products professional profile
profit program progress project projects promise proper properly property proportion proposed protect protection
protein prove provide provided provides providing provision public pulse purchase purchased purpose purposes put
quality quantity quarter question questions quickly quite race raise ran random range rate rates rather ratio reach
reaction Read read Reading reading ready real really reason reasonable reasons receive received receiving
recent recently recognition recognize recommend recommendations record recorded records recover red reduce reduced
reducing reduction referred refers reflect refused regarding regards regular related relations relationship
relationships relative relax relaxation release relevant religion religious remain remaining remains remember remove
removed rent report request requests require required requirements requires research resources respect response
responses responsibility responsible rest restaurant result resulting results return returned reveal revenue Review
review rice rich ride right rights ring rise risk road rock role roles roll rolling room round routine row rule
rules run running runs safe safety said salary sale sales same sample satisfaction save savings saw say says
scenarios schedule school science score scored screen screening script search second seconds section sections secure
Security security see seeing seeking seems seen selected selection sell selling send sense sent sentence separate
September series serious serve service services session sessions Set set sets setting settings setup several severe
sexual shall share shared sharing She she shift shop shopping short shot should show showed shows side sides sign
signed significant significantly signs similar simple Since since single sister site situation six size skills sleep
small smaller So so social society soft sold solid solution solve solving some someone something sometimes son soon
sound sounds source space special species specific specifically speech speed spend spending spent spot square stage
stand standard standards standing Start start started starting State state stated statement statements States states
status stay staying Step step steps still stop storage store stories story strategies strategy street strength
stress strong structure structured structures struggle student students studies studio Study study studying style
styles subject submission subsequent substantial success successful successfully such suffered sufficient suggest
suggestions suit sum Summary summary super supply support Sure sure surface system systems table Take take taken
takes taking talk tank target task tasks tax taxes teacher Team team technical techniques technology tell
temperature tenant term terms test testing tests text than Thank That that The the their them themes themselves Then
then theory therapy There there Therefore therefore These these They they thing things think thinking third This
this those though thought thoughts threat three through throughout throw Thursday thus tickets Time time times tips
title To to Today today together told too took tool tools top total tough toward towards town track tract trade
traditional Training training transition travel treatment tree trends trial tried trip truck true trust truth try
trying turn turned twice Two two type types typically unable under underlying understand understanding unexpected
unique unit units University unless until up upcoming update updates upon us usage Use use used useful user uses
Using using usually utility vacuum valid valuable value values variable variables various version very via victim
video view violation violence virus visit voice volume vote wait walk walking walks wall want wanted wants War war
was watch watching water way ways We we weather website week weekend weekly weeks weight welcome well went were What
what When when where whether Which which While while white Who who whole whom whose Why why width wife Will will win
window windows winter With with within without witness woman women won wondering words Work work worked workers
working works World world worth Would would Write write writing written wrong year years yet You you young Your your
yourself zero
""".split()
)
"""Common words which, with the one space before them, are one token."""

PAIRS = frozenset(
    """
ab ac ad af ag ai ak al am an ap ar as at au av aw ax ay ba be bi bl bo br bs bt bu by ca cc ce ch ci ck cl co cr ct
cu cy da dd de di dl do dr ds du dy ea eb ec ed ee ef eg eh ei ek el em en ep er es et ev ew ex ey fa fe ff fi fl fo
fr ft fu ga ge gg gh gi gl gn go gr gs gt gu gy ha he hi hl hn ho hr ht hu hy ia ib ic id ie if ig ik il im in io ip
iq ir is it iv ix iz je jo ju ke ki ks la lc ld le li ll lo lp ls lt lu ly ma mb me mi mm mo mp ms mu my na nc nd ne
ng ni nl nn no ns nt nu ny oa ob oc od oe of og oi oj ok ol om on oo op or os ot ou ov ow ox oy pa pd pe ph pi pl po
pp pr ps pt pu py qu ra rc rd re rf rg ri rl rm rn ro rr rs rt ru ry sa sc se sf sh si sk sm so sp ss st su sy ta tc
te tf th ti tl tm to tr ts tt tu ty ua ub uc ud ue uf ug ui ul um un up ur us ut uy va ve vi vo wa we wi wn wo wr ws
xa xi xt ye yl ym yo yp ys yt za ze
""".split()
) | {f" {letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"}
"""Pairs of neighbours which are a token, so that two tokens of one character each never stay side by side there."""
