import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'

/**
 * Looks a host up once for all connections that need its addresses at the same time. Each look-up holds one of the few
 * threads that the process has for names and files until the DNS answers: 64 connections would hold them all.
 */
export function sharedLookup(lookup: LookupFunction = systemLookup): LookupFunction {
  const waiting = new Map<string, Callback[]>()
  return (host, options, callback) => {
    const key = JSON.stringify([host, options])
    const others = waiting.get(key)
    if (others !== undefined) {
      others.push(callback)
      return
    }
    const callbacks = [callback]
    // Never answers before it returns. Where it throws, nobody is left waiting.
    lookup(host, options, (...answer) => {
      waiting.delete(key)
      for (const callback of callbacks) callback(...answer)
    })
    waiting.set(key, callbacks)
  }
}

type Callback = Parameters<LookupFunction>[2]
