"""What WhatsApp itself writes into an export: notices, attachments, deleted and edited marks, in many languages.

Used by train/whatsapp.py. Spanish, English, Portuguese, French, German, Italian, Catalan and Dutch are known by their
words; of other languages, what the form tells: a line without an author, a text that begins with a left-to-right mark
(iOS puts it before what it writes itself), a whole text in angle brackets, a file name of WhatsApp's own.
"""

from __future__ import annotations

import re

ATTACHMENT, DELETED, NOTICE, EMPTY, MESSAGE = "attachment", "deleted", "notice", "empty", "message"

_FILE = r"[^<>\n]{1,200}?\.\w{1,5}"
_ATTACHED = (
    r"file attached|archivo adjunto|fichero adjunto|arquivo anexado|ficheiro anexado|fichier joint|datei angehängt|"
    r"file allegato|fitxer adjunt|arxiu adjunt|bestand bijgevoegd"
)
_THINGS = (
    r"image|imagen|imagem|immagine|bild|imatge|afbeelding|photo|foto|fotos|video|vídeo|vidéo|audio|áudio|àudio|gif|sticker|pegatina|"
    r"figurinha|adhesiu|document|documento|dokument|multimedia|media|mídia|médias?|medien|archivo|arquivo|"
    r"contact card|tarjeta de contacto|cartão de contato|cartão de contacto|carte de contact|fiche contact|kontaktkarte|"
    r"scheda contatto|contactkaart|voice message|mensaje de voz|nota de voz|nota de vídeo|video note|nota de video|ubicación|location|localização"
)
_LEFT_OUT = (
    r"omitted|omitid[oa]s?|omès|omesa|omissed|oculto|oculta|ocultad[oa]|não revelad[oa]|absente?|omis|omise|manquant|ausgeschlossen|"
    r"weggelassen|omess[oai]|non inclus[oa]|esclus[oa]|weggelaten|no incluid[oa]"
)
_ATTACHMENTS = [
    re.compile(rf"(?P<name>{_FILE}) \((?:{_ATTACHED})\)(?:\n|$)", re.I),
    re.compile(r"(?P<name>(?:IMG|VID|AUD|PTT|STK|DOC)-\d{8}-WA\d+\.\w{1,5}) \([^()\n]+\)(?:\n|$)"),
    re.compile(rf"<[^<>:\n]{{2,30}}\s?: ?{_FILE}>(?:\n|$)"),
    re.compile(
        rf"<?(?:[^\n•]+• ?[^\n]* )?(?:view once |visualización única )?(?:{_THINGS})(?: \w+)? (?:{_LEFT_OUT})\.?>?(?:\n|$)",
        re.I,
    ),
    re.compile(r"<(?:arquivo de mídia oculto|ficheiro não revelado|view once [\w ]+ omitted)>(?:\n|$)", re.I),
    re.compile(r"(?:\w+ ){0,3}\w+: https?://maps\.google\.com/\S+(?:\n|$)", re.I),
    re.compile(r"[^\n:]{0,80}: https?://(?:foursquare\.com/v|maps\.app\.goo\.gl)/\S+(?:\n|$)", re.I),
    re.compile(
        r"(?:live location shared|ubicación en tiempo real compartida|localização em tempo real compartilhada)\.?(?:\n|$)",
        re.I,
    ),
    re.compile(r"(?:poll|encuesta|enquete|sondage|umfrage|sondaggio|enquesta):\n.*", re.I | re.S),
    re.compile(r"null$"),
]
_TAIL = re.compile(r"\s*\u200e<[^<>\n]*:[^<>\n]*\.\w{1,5}>$")  # iOS: a caption, then the file
_IN_BRACKETS = re.compile(r"<(?=[^<>]* |[^<>]*[\u2e80-\uffdc])[^\W\d_][^<>\n]{4,60}>$")
_DELETED = re.compile(
    r"(?:(?:se )?(?:eliminó|ha eliminado) este mensaje|eliminaste este mensaje|este mensaje (?:fue|ha sido|se) elimin\w+|"
    r"has eliminado este mensaje|this message was deleted|you deleted this message|"
    r"(?:esta )?mensagem (?:foi )?apagada|(?:você )?apag(?:ou|aste) esta mensagem|esta mensagem foi (?:apagada|eliminada)|"
    r"ce message a été supprimé|vous avez supprimé ce message|"
    r"diese nachricht wurde gelöscht|du hast diese nachricht gelöscht|"
    r"questo messaggio è stato eliminato|hai eliminato questo messaggio|"
    r"s'ha (?:suprimit|eliminat) aquest missatge|(?:heu|has) (?:suprimit|eliminat) aquest missatge|"
    r"dit bericht (?:is|werd) verwijderd|(?:u heeft|je hebt) dit bericht verwijderd)"
    r"(?: (?:por|by|par|von|vom|dal|da|door) (?:el |the |o |l'|l’)?admin[^\n]{0,60})?\.?$",
    re.I,
)
_EDITED = re.compile(
    r"\s*<(?:this message was edited|se editó este mensaje|este mensaje (?:fue|se|ha sido) edit\w+|(?:esta )?mensagem (?:foi )?editada|"
    r"ce message a été modifié|diese nachricht wurde bearbeitet|questo messaggio è stato modificato|"
    r"s'ha editat aquest missatge|dit bericht (?:is|werd) bewerkt)\.?>$|\s*\u200e<[^<>:\n]{4,60}>$",
    re.I,
)
_CALLS = re.compile(
    r"(?:missed (?:group )?(?:voice|video) call|(?:silenced )?(?:voice|video) call|llamada perdida|videollamada perdida|(?:video)?llamada(?: grupal)? (?:de voz|perdida|sin respuesta)|"
    r"chamada (?:de voz|de vídeo) perdida|appel (?:vocal|vidéo) manqué|verpasste[rs]? (?:sprach|video)anruf|"
    r"chiamata (?:vocale|video) persa|videochiamata persa|gemiste (?:spraak|video)oproep)"
    r"(?:[.,]| (?:a las |at |às |à |um |alle )|$)[^\n]{0,60}$",
    re.I,
)
_WAITING = re.compile(
    r"(?:waiting for this message|esperando (?:el|este) mensaje|aguardando mensagem|en attente de ce message|"
    r"warten? auf diese nachricht|in attesa d[ei]l? (?:questo )?messaggio)[^\n]*$",
    re.I,
)
_ENCRYPTED = re.compile(
    r"(?:los mensajes|las llamadas|messages|your messages|as mensagens|mensagens|les messages|nachrichten|i messaggi|els missatges|berichten)"
    r"[^\n]*(?:cifrad|cifran|encrypt|criptograf|encriptad|chiffr|verschlüsselt|crittograf|xifra|versleuteld)[^\n]*$",
    re.I,
)
_EVENT = (
    r"(?:(?:creó|crearon|creaste|ha creado|has creado) (?:el|este) grupo|(?:te )?(?:añadió|agregó|añadiste|agregaste|eliminó|eliminaste|sacó|expulsó)\b|"
    r"salió|saliste|se unió|te uniste|se fue\b|ahora (?:es|eres|sos)\b|ya no (?:es|eres|sos)\b|"
    r"cambi(?:ó|aste) (?:el|la|las|los|su|a|tu|de)\b|(?:fijó|fijaste|ancló) un mensaje|(?:des)?bloqueaste|(?:des)?activ(?:ó|aste)\b|"
    r"(?:solicitó|solicitaste) unirse|inició una (?:video)?llamada|restableció|rechazó|"
    r"created (?:this |the )?(?:group|community)|added\b|removed\b|left\b|joined\b|was added\b|were added\b|was removed\b|"
    r"changed (?:the|this|their|to|your|from)\b|pinned a message|turned (?:on|off)\b|(?:un)?blocked\b|requested to join|started a\b|"
    r"(?:is|are|'re|’re) (?:now|no longer) (?:an )?admin|reset\b|"
    r"criou (?:o|este) grupo|adicionou\b|removeu\b|saiu\b|entrou\b|mudou\b|alterou\b|fixou\b|foi (?:adicionad|removid)[oa]|"
    r"a créé (?:le |ce )?groupe|a ajouté\b|a retiré\b|est parti|a quitté\b|a rejoint\b|a changé\b|a modifié\b|a épinglé\b|"
    r"hat [^\n]*(?:hinzugefügt|erstellt|entfernt|geändert|gewechselt|verlassen|angepinnt)|ist (?:der Gruppe )?beigetreten|"
    r"ha creato\b|ha aggiunto\b|ha rimosso\b|è uscit[oa]|ha abbandonato\b|ha cambiato\b|ha modificato\b|si è unit[oa]|"
    r"ha creat\b|ha afegit\b|ha sortit\b|heeft [^\n]*(?:toegevoegd|gemaakt|verwijderd|gewijzigd|verlaten))"
)
_ABOUT = (
    r"código de seguridad|security code|código de segurança|code de sécurité|sicherheitsnummer|codice di sicurezza|"
    r"mensajes temporales|disappearing messages|mensagens temporárias|messages éphémères|selbstlöschende|messaggi effimeri|"
    r"cifrad[oa]s de extremo|end-to-end encrypt|criptografia de ponta|ende-zu-ende|chiffré\w* de bout|crittografia end|"
    r"cuenta de empresa|business account|conta comercial|servicio seguro de meta|secure service from meta|"
    r"enlace de invitación|invite link|link de convite|lien d.invitation|einladungslink|link d.invito|"
    r"número de teléfono|phone number|número de telefone|numéro de téléphone|telefonnummer|numero di telefono|"
    r"este contacto|this contact|este contato|ce contact|diesen kontakt|questo contatto"
)
_EVENT_LINE = re.compile(rf"[^:\n]{{0,120}}?\b{_EVENT}", re.I)
_ABOUT_LINE = re.compile(rf"[^:\n]*(?:{_ABOUT})", re.I)
_NAMED_EVENT = re.compile(  # an event that quotes a name, which may have a colon: no author's message
    r"[^:\n]{1,80}? (?:cambi(?:ó|aste) (?:el asunto|el nombre)|cre(?:ó|aste) el grupo|changed the (?:subject|group name|group description)|created (?:the )?group|"
    r"mudou o (?:assunto|nome)|alterou o (?:assunto|nome)|criou o grupo|a changé le (?:sujet|nom)|a créé le groupe|"
    r"hat den (?:betreff|gruppennamen)|hat die gruppe|ha cambiato (?:l'oggetto|il nome)|ha creato il gruppo)[^\n:]{0,80}[\"“„«»]",
    re.I,
)


def is_notice_line(rest: str) -> bool:
    """Whether what follows the date, up to the line's end, is a notice although it may hold a colon."""
    return bool(_NAMED_EVENT.match(rest) or _ENCRYPTED.match(rest))


def is_known_notice(rest: str) -> bool:
    """Whether a line without an author is a notice whose words are known."""
    found = (_EVENT_LINE, _ABOUT_LINE, _ENCRYPTED, _CALLS, _WAITING)
    return any(pattern.match(rest) for pattern in found)


def classify(text: str, author: str, marked: bool) -> str:
    """The kind of an author's text: MESSAGE, ATTACHMENT (also with a caption), DELETED, NOTICE or EMPTY.

    `marked`: a left-to-right mark stood before the text.
    """
    plain = text.replace("\u200e", "").strip()
    if not plain:
        return EMPTY
    if _DELETED.match(plain):
        return DELETED
    if (
        any(pattern.match(plain) for pattern in _ATTACHMENTS)
        or _TAIL.search(text)
        or _IN_BRACKETS.match(plain)
    ):
        return ATTACHMENT
    if _ENCRYPTED.match(plain) or _CALLS.match(plain) or _WAITING.match(plain):
        return NOTICE
    own = plain.startswith(author) and re.match(_EVENT, plain[len(author) :].strip(), re.I)
    return NOTICE if own or marked else MESSAGE


def caption(text: str) -> str:
    """What an author wrote with an attachment; empty when nothing."""
    text = _TAIL.sub("", text)
    plain = text.replace("\u200e", "").strip()
    for pattern in _ATTACHMENTS:
        if match := pattern.match(plain):
            return plain[match.end() :].strip()
    return "" if _IN_BRACKETS.match(plain) else plain


def without_edited(text: str) -> tuple[str, bool]:
    """The text without the mark that it was edited, and whether it had one."""
    plain, number = _EDITED.subn("", text)
    return plain, bool(number)
