import { printParseErrorCode, visit } from 'jsonc-parser'

/** Where a text stops being JSON, and what was expected there. */
export function syntaxFault(text: string): string {
  try {
    visit(
      text,
      {
        onError: (code, _offset, _length, line, character) => {
          throw new SyntaxFault(line + 1, character + 1, EXPECTED.get(printParseErrorCode(code)))
        },
      },
      { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false },
    )
  } catch (error) {
    if (error instanceof SyntaxFault) return error.message
    // The text is nested deeper than any catalogue.
  }
  return 'is not JSON'
}

class SyntaxFault extends Error {
  constructor(line: number, column: number, expected = 'something else is expected') {
    super(`line ${line}, column ${column}: is not JSON: ${expected}`)
  }
}

const EXPECTED: ReadonlyMap<string, string> = new Map([
  ['InvalidSymbol', 'a value or a name in quotation marks is expected'],
  ['InvalidNumberFormat', 'a number has another form'],
  ['PropertyNameExpected', 'a name in quotation marks is expected'],
  ['ValueExpected', 'a value is expected'],
  ['ColonExpected', 'a colon is expected'],
  ['CommaExpected', 'a comma is expected'],
  ['CloseBraceExpected', 'a closing brace } is expected'],
  ['CloseBracketExpected', 'a closing bracket ] is expected'],
  ['EndOfFileExpected', 'the end of the file is expected'],
  ['InvalidCommentToken', 'comments have no place here'],
  ['UnexpectedEndOfComment', 'comments have no place here'],
  ['UnexpectedEndOfString', 'closing quotation marks are expected'],
  ['UnexpectedEndOfNumber', 'a digit is expected'],
  ['InvalidUnicode', 'four hexadecimal digits are expected after \\u'],
  ['InvalidEscapeCharacter', 'a backslash stands before a character that it can’t stand before'],
  ['InvalidCharacter', 'a text has no control characters, but \\n and \\t'],
])
