"""Named errors of bringing a text to ask about, and of saving what was asked; see space/errors.py."""

from __future__ import annotations

from index.errors import OradorError
from space.errors import InvalidInput


class OneListNeeded(InvalidInput):
    """A file is to be made of several lists that are compared."""

    en = "a file holds one list. Choose one of the techniques and write it again: with the seed {seed} the same list comes"
    es = "un archivo contiene una sola lista. Elija una de las técnicas y escríbala otra vez: con la semilla {seed} sale la misma lista"


class FileKindUnknown(InvalidInput):
    en = "{file} is of no kind that can be read. There are: {kinds}"
    es = "{file} no es de un tipo que se pueda leer. Los hay: {kinds}"


class FileTooLarge(InvalidInput):
    """`size` and `limit` with their unit: of the file, of what it unpacks to, its pages, or the time to read it."""

    en = "{file} is too large: {size}, and the limit is {limit}. Give a part of it, or paste the text"
    es = "{file} es demasiado grande: {size}, y el límite es {limit}. Dé una parte o pegue el texto"


class FileUnreadable(InvalidInput):
    en = "{file} cannot be read ({reason}). Open it in its own program, copy the text and paste it"
    es = "{file} no se puede leer ({reason}). Ábralo en su programa, copie el texto y péguelo"


class FileHasNoText(InvalidInput):
    en = "{file} holds no text: it may be a scanned picture. Paste the text instead"
    es = "{file} no contiene texto: puede ser una imagen escaneada. Pegue el texto en su lugar"


class ArticleMissing(InvalidInput):
    en = "Wikipedia has no article called “{title}”. Write its title as the page has it"
    es = "En Wikipedia no hay ningún artículo titulado «{title}». Escriba el título como está en su página"


class ArticleAmbiguous(InvalidInput):
    en = "“{title}” is a list of several articles in Wikipedia. Give the title of one of them"
    es = "«{title}» es en Wikipedia una lista de varios artículos. Dé el título de uno de ellos"


class WikipediaUnreachable(OradorError):
    en = "Wikipedia ({url}) cannot be read from here ({reason}). Paste the text instead, or try again later"
    es = "No se puede leer Wikipedia ({url}) desde aquí ({reason}). Pegue el texto en su lugar o inténtelo más tarde"
