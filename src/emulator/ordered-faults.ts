import { CONNECTION_FAULTS, type FaultEffect, faultEffect } from '../../schemas/faults.js'
import { StatusError } from '../errors/public-error.js'
import { isDocumented } from './documented-codes.js'
import type { Endpoint } from './endpoint.js'
import { type ReadRequest, textIn } from './request-facts.js'

/** The effects that a request may order for itself, by the names that it has for them. */
const ORDERS = {
  error: (text: string) => ({ errorCode: numberOf(text) }),
  status: (text: string) => ({ status: numberOf(text) }),
  delay: (text: string) => ({ delayMs: numberOf(text) }),
  connection: (text: string) => ({ connection: text }),
} as const
type OrderName = keyof typeof ORDERS

const NAMES = Object.keys(ORDERS) as readonly OrderName[] // the table's own keys
const COOKIE_START = 'emulate:'

/** A fault that a request orders for itself. */
export interface OrderedFault {
  readonly id: 'header' | 'cookie'
  readonly effect: FaultEffect
}

/** Whether it may order a fault. It is asked for every request, so it looks no further than it must. */
export function mayOrderFault({ headers, query, body }: ReadRequest, { kind }: Endpoint): boolean {
  if (
    headers['x-emulate-error'] !== undefined ||
    headers['x-emulate-status'] !== undefined ||
    headers['x-emulate-delay'] !== undefined ||
    headers['x-emulate-connection'] !== undefined
  )
    return true
  if (kind !== 'token' && kind !== 'entitlement') return false
  return orderingCookie(kind, query, body) !== undefined
}

/** What a request orders: in headers, or in its cookie where it cannot set any. Throws the refusal of a malformed order. */
export function orderedFault({ headers, query, body }: ReadRequest, endpoint: Endpoint): OrderedFault | undefined {
  const inHeaders = NAMES.flatMap(name => {
    const text = headers[`x-emulate-${name}`]
    return text === undefined ? [] : { name, text: text.toString(), place: `x-emulate-${name}` }
  })
  if (inHeaders.length > 0) return { id: 'header', effect: effectOf(inHeaders, endpoint) }
  const cookie = orderingCookie(endpoint.kind, query, body)
  if (cookie === undefined) return undefined
  return { id: 'cookie', effect: effectOf(ordersIn(cookie, cookieName(endpoint.kind)), endpoint) }
}

function cookieName(kind: Endpoint['kind']): string {
  return kind === 'entitlement' ? 'customerCookie' : 'cookie'
}

function orderingCookie(kind: Endpoint['kind'], query: unknown, body: unknown): string | undefined {
  const name = cookieName(kind)
  const cookie = kind === 'token' ? (textIn(query, name) ?? textIn(body, name)) : textIn(body, name)
  return cookie?.startsWith(COOKIE_START) ? cookie : undefined
}

interface Order {
  readonly name: OrderName
  readonly text: string
  /** The header or the parameter that has it. */
  readonly place: string
}

/** `emulate:delay=500;error=-2019`. */
function ordersIn(cookie: string, place: string): Order[] {
  return cookie
    .slice(COOKIE_START.length)
    .split(';')
    .map(part => {
      const [, written = '', text = ''] = /^([a-z]+)=(.*)$/s.exec(part) ?? []
      const name = NAMES.find(one => one === written)
      if (name !== undefined) return { name, text, place }
      throw new StatusError(400, `${place}: after emulate: must come ${NAMES.join('=, ')}=, separated by ;`, place)
    })
}

function effectOf(orders: readonly Order[], endpoint: Endpoint): FaultEffect {
  const effect: Record<string, unknown> = {}
  for (const { name, text, place } of orders)
    for (const [member, value] of Object.entries(ORDERS[name](text))) {
      if (member in effect) throw new StatusError(400, `${place}: ${name} is there twice`, place)
      effect[member] = value
    }
  const read = faultEffect.safeParse(effect)
  const [fault] = read.error?.issues ?? []
  if (read.data === undefined || fault !== undefined) {
    const member = fault?.path[0]
    const place = orders.find(({ name, text }) => member !== undefined && member in ORDERS[name](text))?.place ?? ''
    const message = member === 'connection' ? `must be one of ${CONNECTION_FAULTS.join(', ')}` : fault?.message
    throw new StatusError(400, `${place}: ${message}`, place)
  }
  const place = orders.find(({ name }) => name === 'error')?.place
  if (place !== undefined && !isDocumented(read.data.errorCode ?? 0, endpoint))
    throw new StatusError(400, `${place}: this endpoint has no documented error with this code`, place)
  return read.data
}

/** `NaN` for what is no whole number. */
function numberOf(text: string): number {
  return /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN
}
