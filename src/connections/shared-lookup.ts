import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'

/**
 * Resolves a host once for all connections that need its addresses at the same time. Each look-up occupies one of the
 * few threads of libuv's pool until the DNS answers: 64 connections would occupy all of them.
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
    // `lookup` never calls back before it returns. If it throws, no callback is left in the map.
    lookup(host, options, (...answer) => {
      waiting.delete(key)
      for (const callback of callbacks) callback(...answer)
    })
    waiting.set(key, callbacks)
  }
}

type Callback = Parameters<LookupFunction>[2]
