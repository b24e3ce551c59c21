import type { RouteOptions } from 'fastify'
import * as z from 'zod'
import { errorAnswer, messageWithCode } from '../../schemas/answers.js'
import { type DocumentedError, documentedErrors } from '../errors/error-catalogue.js'
import { type ErrorForm, htmlErrors, jsonErrors } from '../http/error-forms.js'
import type { Answer, Content, DocumentedRefusals, Operation, Reads, Refuses, Sample } from '../http/operation.js'
import { type Json, JsonSchemas } from './json-schemas.js'

/** A route as Fastify shows it to a hook. */
export type Route = Pick<RouteOptions, 'url' | 'method' | 'schema' | 'config'>

/** What no route says: who the document is from, and the parts that routes name. */
export interface Outline {
  readonly info: Json
  readonly servers: readonly Json[]
  readonly tags: readonly Json[]
  readonly securitySchemes: Json
  readonly schemas: Readonly<Record<string, z.ZodType>>
}

/** The OpenAPI document of these routes, each of which has an operation in its schema or is hidden. */
export function openApiDocument(routes: readonly Route[], { info, servers, tags, ...parts }: Outline): Json {
  const schemas = new JsonSchemas(parts.schemas)
  const paths: Record<string, Json> = {}
  const urls = new Set(routes.filter(({ schema }) => schema?.hide !== true).map(({ url }) => url))
  for (const route of routes) {
    if (route.schema?.hide === true) continue
    const path = pathOf(route.url, Object.keys(paths))
    for (const method of methodsOf(route))
      paths[path] = { ...paths[path], [method]: new OperationWriter(route, schemas).write(method, path, urls) }
  }
  return {
    openapi: '3.1.0',
    info,
    servers,
    tags,
    security: [],
    paths,
    components: { schemas: schemas.components, headers: LIMIT_HEADERS, securitySchemes: parts.securitySchemes },
  }
}

/** Without HEAD, which Fastify adds to every GET. */
export function methodsOf({ method }: Route): string[] {
  return [method].flat().flatMap(one => (one === 'HEAD' || one === 'OPTIONS' ? [] : one.toLowerCase()))
}

/** Paths that differ in the names of parameters alone are one path, with the names that came first. */
export function pathOf(url: string, known: readonly string[]): string {
  const path = url.replace(/:(\w+)/g, '{$1}')
  return known.find(one => shapeOf(one) === shapeOf(path)) ?? path
}

function shapeOf(path: string): string {
  return path.replace(/\{\w+\}/g, '{}')
}

class OperationWriter {
  readonly #route: Route
  readonly #operation: Operation
  readonly #schemas: JsonSchemas
  readonly #reads: Reads
  readonly #sample: Sample

  constructor(route: Route, schemas: JsonSchemas) {
    const { schema, url } = route
    if (!isOperation(schema)) throw new Error(`the route ${url} has neither an operation nor hide in its schema`)
    this.#route = route
    this.#operation = schema
    this.#schemas = schemas
    this.#reads = { ...validatedBy(route), ...made(schema.reads) }
    this.#sample = made(schema.sample) ?? {}
  }

  write(method: string, path: string, urls: ReadonlySet<string>): Json {
    const { tags, summary, description = summary, security } = this.#operation
    const { url } = this.#route
    const name =
      methodsOf(this.#route).length > 1 ? capitalized(this.#operation.operationId) : this.#operation.operationId
    const id = methodsOf(this.#route).length > 1 ? `${method}${name}` : name
    const body = method === 'get' || method === 'delete' ? undefined : this.#body()
    return {
      // Of two spellings of a path the one with the final slash is the documented one.
      operationId: urls.has(`${url}/`) ? `${id}WithoutSlash` : id,
      tags,
      summary,
      description,
      ...(security !== undefined && { security }),
      parameters: [
        ...this.#pathParameters(path),
        ...this.#parameters('query', method),
        ...this.#parameters('header', method),
      ],
      ...(body !== undefined && { requestBody: body }),
      responses: this.#responses(),
    }
  }

  #pathParameters(path: string): Json[] {
    const schemas = Object.values(this.#reads.path ?? {})
    return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ''], index) => {
      const schema = schemas[index]
      if (schema === undefined) throw new Error(`the path ${path} has a parameter without a schema`)
      return this.#parameter('path', name, schema, true)
    })
  }

  #parameters(place: 'query' | 'header', method: string): Json[] {
    const { query = {}, headers = {}, required, hasNumbered } = this.#reads
    const written = Object.entries(place === 'query' ? query : headers).map(([name, schema]) =>
      this.#parameter(place, name, schema, method === 'get' && isRequired(name, schema, required)),
    )
    return place === 'query' && hasNumbered === true ? [...written, NUMBERED] : written
  }

  #parameter(place: 'path' | 'query' | 'header', name: string, schema: z.ZodType, required: boolean): Json {
    const { description = '', example, examples, ...rules } = this.#schemas.of(schema)
    const sample = this.#sample.parameters?.[name]
    // The docs page fills every example in when a request is tried, so only what belongs together has one.
    const other =
      sample === undefined && place === 'query' ? (example ?? (examples as unknown[] | undefined)?.[0]) : undefined
    return {
      name,
      in: place,
      required,
      description: other === undefined ? description : `${description} For example \`${other}\`.`,
      schema: rules,
      ...(sample !== undefined && { example: sample }),
    }
  }

  #body(): Json | undefined {
    const { body, query = {}, hasNumbered } = this.#reads
    if (body !== undefined) {
      const { content, ...others } = body
      const entries = Object.entries(content)
      return {
        ...others,
        content: Object.fromEntries(
          entries.map(([type, one], index) => [
            type,
            this.#content(index > 0 ? one : { example: this.#sample.body, ...one }),
          ]),
        ),
      }
    }
    if (hasNumbered !== true) return undefined
    const properties = Object.fromEntries(
      Object.entries(query).map(([name, schema]) => [name, this.#schemas.of(schema)]),
    )
    // Typed as texts, they would contradict the optional ones for a generator of TypeScript.
    const schema = { type: 'object', properties, additionalProperties: hasNumbered }
    return {
      required: false,
      description: 'What does not stand in the query.',
      content: { 'application/x-www-form-urlencoded': { schema, example: this.#sample.parameters } },
    }
  }

  #content({ schema, example }: Content): Json {
    return { schema: this.#schemas.of(schema), ...(example !== undefined && { example }) }
  }

  #responses(): Json {
    const { answers, refuses = {} } = this.#operation
    const { isUnlimited = false, errorForm } = this.#route.config ?? {}
    const limits = isUnlimited ? {} : LIMIT_REFERENCES
    const responses: Json = {}
    for (const [status, answer] of Object.entries(answers)) responses[status] = this.#answer(answer, limits)
    const always: Refuses = isUnlimited ? { 400: 'No valid request.' } : { 429: 'Too many requests a minute.' }
    const refused = { ...always, ...refuses }
    for (const [status, refusals] of Object.entries(refused))
      responses[status] = {
        ...this.#refusal(Number(status), refusals, errorForm),
        ...(status === '429' && { headers: { 'retry-after': reference('RetryAfter'), ...limits } }),
      }
    responses.default = this.#refusal(0, 'What HTTP itself refuses, or a fault of the service.', errorForm)
    return responses
  }

  #answer({ description, headers = {}, content = {} }: Answer, limits: Json): Json {
    const own = Object.entries(headers).map(([name, text]) => [name, { schema: { type: 'string' }, description: text }])
    const contents = Object.entries(content).map(([type, one]) => [type, this.#content(one)])
    return {
      description,
      headers: { ...Object.fromEntries(own), ...limits },
      ...(contents.length > 0 && { content: Object.fromEntries(contents) }),
    }
  }

  /** In the form of the route, or in both of those that a request may ask for; each documented error is an example. */
  #refusal(status: number, refusals: string | DocumentedRefusals, form: ErrorForm | undefined): Json {
    const { description, codes } = typeof refusals === 'string' ? { description: refusals, codes: [] } : refusals
    const errors = [...documentedErrors.values()].filter(error =>
      codes === 'all of this status' ? error.status === status : codes.includes(error.code),
    )
    const list = errors.map(({ code, message }) => `- \`${code}\` ${message.replace(/</g, '‹').replace(/>/g, '›')}`)
    const forms = form === undefined ? [jsonErrors, htmlErrors] : [form]
    const content = forms.map(({ contentType, schema }) => [
      contentType.replace(/;.*/, ''),
      {
        schema: this.#schemas.of(schema),
        ...(schema === errorAnswer && errors.length > 0 && { examples: Object.fromEntries(errors.map(exampleOf)) }),
      },
    ])
    return { description: [description, ...list].join('\n'), content: Object.fromEntries(content) }
  }
}

function made<T extends object>(given: T | (() => T) | undefined): T | undefined {
  return typeof given === 'function' ? given() : given
}

function isOperation(schema: Route['schema']): schema is Operation {
  return schema?.operationId !== undefined && schema.answers !== undefined
}

/** What Fastify has zod read for the handler. */
function validatedBy({ schema }: Route): Reads {
  const { params, querystring, body } = schema ?? {}
  return {
    ...(params instanceof z.ZodObject && { path: params.shape }),
    ...(querystring instanceof z.ZodObject && { query: querystring.shape }),
    ...(body instanceof z.ZodType && { body: { required: true, content: { 'application/json': { schema: body } } } }),
  }
}

function isRequired(name: string, schema: z.ZodType, required: readonly string[] | undefined): boolean {
  return required === undefined ? !schema.safeParse(undefined).success : required.includes(name)
}

function exampleOf({ code, message }: DocumentedError): [string, Json] {
  const value = { code, message: messageWithCode(code, message.replace(/[<>]/g, '')), requestId: '5d2ab1c09e77-1' }
  return [`error${code}`.replace('-', ''), { summary: message, value }]
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const NUMBERED = {
  name: 'numbered',
  in: 'query',
  required: false,
  style: 'form',
  explode: true,
  description:
    'For several keys in one token every licence parameter may carry `.N`: `kid.0`, `contentKey.0`, `kid.1`, … up to 16 keys. A bare parameter then applies to all keys that have none of their own.',
  schema: { type: 'object', additionalProperties: { type: 'string' } },
}

const LIMIT_HEADERS = {
  RateLimit: whole('Requests a minute, by the limit that is nearer to its end; nothing where there is none.'),
  RateLimitRemaining: whole('How many of them are left.'),
  RateLimitReset: whole('Seconds until all of them are there again.'),
  RetryAfter: whole('Seconds after which it may be worth to ask again.'),
}

const LIMIT_REFERENCES: Json = {
  'x-ratelimit-limit': reference('RateLimit'),
  'x-ratelimit-remaining': reference('RateLimitRemaining'),
  'x-ratelimit-reset': reference('RateLimitReset'),
}

function whole(description: string): Json {
  return { schema: { type: 'integer' }, description }
}

function reference(name: string): Json {
  return { $ref: `#/components/headers/${name}` }
}
