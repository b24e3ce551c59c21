import type { KeyChange, KeyObject, NewKey } from '../../schemas/keystore.js'
import { KeyStorageError, orStorageUnavailable } from '../errors/key-storage-error.js'
import type { Now } from '../ground/clock.js'
import type { Owner } from '../ground/environment.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { KeyRepository } from '../store/key-repository.js'
import { type KeyRow, serviceId } from '../store/tables.js'
import type { KeyStyle } from './key-styles.js'
import { unwrapKey, wrapKey } from './key-wrap.js'

/** Keys that customers stored, each wrapped with a KEK that only the customer knows. */
export interface KeyStorage {
  /** The wrapped key of a KID in the owner's store. */
  findWrapped(owner: Owner, kid: string): Promise<Buffer | undefined>
}

/** Whose keys a request is about, and the KEK that it sent: with a KEK, keys are wrapped and unwrapped here. */
export interface KeyCaller {
  readonly owner: Owner
  readonly kek: Buffer | undefined
}

/** A page of keys; after `last` there may be more. The reader empties `keys` (`emptied`). */
export interface KeyPage {
  readonly keys: KeyObject[]
  readonly last: string | undefined
}

/** A customer's stored keys. An expired key is invisible. */
export class StoredKeys implements KeyStorage {
  readonly #repository: KeyRepository
  readonly #now: Now
  readonly #random: Randomness
  readonly #style: KeyStyle

  constructor({ repository, now, random, style }: StoredKeysParts) {
    this.#repository = repository
    this.#now = now
    this.#random = random
    this.#style = style
  }

  async findWrapped(owner: Owner, kid: string): Promise<Buffer | undefined> {
    const [row] = await this.#repository.find(serviceOf(owner), [kid], this.#now(owner.customerId))
    return row && Buffer.from(row.ek, 'hex')
  }

  /** Stores a new key, or returns the existing key with its KID; then the other parameters are ignored. */
  async create(
    caller: KeyCaller,
    givenKid: string | undefined,
    readRest: () => NewKey,
  ): Promise<{ isNew: boolean; key: KeyObject }> {
    const kid = givenKid ?? this.#random16().toString('hex')
    for (;;) {
      const [found] = await this.#find(caller.owner, [kid])
      if (found !== undefined) return { isNew: false, key: this.#wholeKey(found, caller.kek) }
      const row = this.#newRow(caller, kid, readRest())
      const key = this.#wholeKey(row, caller.kek)
      if (await orStorageUnavailable(this.#repository.add(row, row.last_update))) return { isNew: true, key }
      // Another request has stored a key with this KID in the meantime: return that one.
    }
  }

  async change({ owner, kek }: KeyCaller, kid: string, given: KeyChange): Promise<void> {
    const { kekId: kek_id, info, contentId: content_id, expiration } = given
    const change = { ek: wrappedKey(given, kek), kek_id, info, content_id, expiration }
    const isChanged = await orStorageUnavailable(
      this.#repository.change(serviceOf(owner), kid, change, this.#now(owner.customerId)),
    )
    if (!isChanged) this.#refuseMissing(kid)
  }

  /** In the order asked; all of them, or an error. */
  async read({ owner, kek }: KeyCaller, kids: readonly string[]): Promise<KeyObject[]> {
    const found = await this.#find(owner, [...new Set(kids)])
    const rows = new Map(found.map(row => [row.kid, row]))
    return kids
      .map(kid => rows.get(kid) ?? this.#refuseMissing(kid))
      .map(row => this.#keyObject(row, kek && { kek, k: this.#openedKey(row, kek) }))
  }

  /** The keys behind `after`, in the order of their KIDs. What the KEK does not open stays wrapped. */
  async list({ owner, kek }: KeyCaller, after = ''): Promise<KeyPage> {
    const rows = await orStorageUnavailable(this.#repository.page(serviceOf(owner), after, KEYS_OF_A_PAGE))
    const now = this.#now(owner.customerId)
    const last = rows.length < KEYS_OF_A_PAGE ? undefined : rows.at(-1)?.kid
    const alive = emptied(rows).filter(({ expiration }) => expiration === null || expiration > now)
    const keys = alive.map(row => {
      const k = kek && unwrapKey(kek, Buffer.from(row.ek, 'hex'))
      return this.#keyObject(row, kek && k && { kek, k })
    })
    return { keys, last }
  }

  async count(owner: Owner): Promise<number> {
    return orStorageUnavailable(this.#repository.count(serviceOf(owner), this.#now(owner.customerId)))
  }

  async remove(owner: Owner, kid: string): Promise<void> {
    const isRemoved = await orStorageUnavailable(
      this.#repository.remove(serviceOf(owner), kid, this.#now(owner.customerId)),
    )
    if (!isRemoved) this.#refuseMissing(kid)
  }

  #find(owner: Owner, kids: readonly string[]): Promise<KeyRow[]> {
    return orStorageUnavailable(this.#repository.find(serviceOf(owner), kids, this.#now(owner.customerId)))
  }

  #newRow({ owner, kek }: KeyCaller, kid: string, given: NewKey): KeyRow {
    const isMadeHere = given.k === undefined && given.ek === undefined
    const ek = wrappedKey(isMadeHere && kek !== undefined ? { k: this.#random16() } : given, kek)
    if (ek === undefined)
      throw new KeyStorageError('parameter', 'A new key needs kek or ek, because it is stored wrapped')
    return {
      service_id: serviceOf(owner),
      kid,
      ek,
      kek_id: given.kekId ?? (kek === undefined ? null : this.#style.kekId(kek)),
      info: given.info ?? null,
      content_id: given.contentId ?? null,
      expiration: given.expiration ?? null,
      last_update: this.#now(owner.customerId),
    }
  }

  #random16(): Buffer {
    return randomBytes(this.#random, 16)
  }

  /** As it is answered where it is stored: a client that unwraps by itself finds `ek` even when `kek` came along. */
  #wholeKey(row: KeyRow, kek: Buffer | undefined): KeyObject {
    return this.#keyObject(row, kek && { kek, k: this.#openedKey(row, kek) }, true)
  }

  /** A stored key as it is answered: opened, wrapped, or both. */
  #keyObject(row: KeyRow, opened: OpenedKey | undefined, isWhole = this.#style.isWhole): KeyObject {
    const { hex, kekId } = this.#style
    return {
      kid: hex(row.kid),
      k: opened && hex(opened.k.toString('hex')),
      ek: isWhole || opened === undefined ? hex(row.ek) : undefined,
      kekId: row.kek_id ?? (this.#style.isWhole && opened ? kekId(opened.kek) : undefined),
      info: row.info ?? undefined,
      contentId: row.content_id ?? undefined,
      expiration: row.expiration === null ? undefined : isoMoment(row.expiration),
      lastUpdate: isoMoment(Math.floor(row.last_update / 1000) * 1000),
    }
  }

  #openedKey({ kid, ek }: KeyRow, kek: Buffer): Buffer {
    const key = unwrapKey(kek, Buffer.from(ek, 'hex'))
    if (key === undefined)
      throw new KeyStorageError('incorrectKek', `Incorrect KEK for the key ${this.#style.hex(kid)}`)
    return key
  }

  #refuseMissing(kid: string): never {
    throw new KeyStorageError('notFound', `There is no key ${this.#style.hex(kid)}`)
  }
}

export interface StoredKeysParts {
  readonly repository: KeyRepository
  readonly now: Now
  readonly random: Randomness
  readonly style: KeyStyle
}

interface OpenedKey {
  readonly kek: Buffer
  readonly k: Buffer
}

/**
 * Takes everything out of a list that came through promises. One after the other they stay in memory until the next
 * full collection of garbage, and with pages of keys in them that would be some 80 MB.
 */
export function emptied<T>(list: T[]): T[] {
  return list.splice(0)
}

/** Keys read at a time when all are listed: enough for speed, too few to be felt in memory. */
const KEYS_OF_A_PAGE = 500

function serviceOf({ customerId, environment }: Owner): number {
  return serviceId(customerId, environment)
}

interface GivenKey {
  readonly k?: Buffer | undefined
  readonly ek?: Buffer | undefined
}

/** The wrapped key of a request: a key in clear is wrapped here; a wrapped one is verified if there is a KEK. */
function wrappedKey({ k, ek }: GivenKey, kek: Buffer | undefined): string | undefined {
  if (k === undefined) {
    if (ek !== undefined && kek !== undefined && unwrapKey(kek, ek) === undefined)
      throw new KeyStorageError('incorrectKek', 'Incorrect KEK for this ek')
    return ek?.toString('hex')
  }
  if (kek === undefined) throw new KeyStorageError('parameter', 'k needs kek, because it is stored wrapped')
  return wrapKey(kek, k).toString('hex')
}

/** A fraction of a second only where there is one, as in the published samples. */
function isoMoment(moment: number): string {
  return new Date(moment).toISOString().replace('.000Z', 'Z')
}
