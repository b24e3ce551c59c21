import { type DocumentedError, documentedErrors, type ErrorCode } from '../src/errors/catalogue.js'
import { messageWithCode } from './answers.js'

export function documentedWith(status: number): DocumentedError[] {
  return [...documentedErrors.values()].filter(error => error.status === status)
}

export function listed(...codes: readonly ErrorCode[]): DocumentedError[] {
  return [...documentedErrors.values()].filter(({ code }) => codes.includes(code))
}

/** An error in the form asked for, with the documented ones it can be. */
export function errorResponse(description: string, errors: readonly DocumentedError[]) {
  const list = errors.map(({ code, message }) => `- \`${code}\` ${message.replace(/</g, '‹').replace(/>/g, '›')}`)
  const examples = Object.fromEntries(
    errors.map(({ code, message }) => [
      `error${code}`.replace('-', ''),
      {
        summary: message,
        value: { code, message: messageWithCode(code, message.replace(/[<>]/g, '')), requestId: '5d2ab1c09e77-1' },
      },
    ]),
  )
  return {
    description: [description, ...list].join('\n'),
    content: {
      'application/json': {
        schema: { $ref: '#/components/schemas/ErrorAnswer' },
        ...(errors.length > 0 ? { examples } : {}),
      },
      'text/html': { schema: { type: 'string' } },
    },
  }
}
