import { hexOf } from './kids.js'

const SYSTEMS: Readonly<Record<string, string>> = {
  '1077efecc0b24d02ace33c1e52e2fb4b': 'W3C common',
  e2719d58a985b3c9781ab030af78d30e: 'Clear Key',
  '9a04f07998404286ab92e65be0885f95': 'PlayReady',
  edef8ba979d64acea3c827dcd51d21ed: 'Widevine',
  '94ce86fb07ff4f43adb893d2fa968ca2': 'FairPlay',
}

export interface Pssh {
  /** The name of the DRM system, or its id. */
  readonly system: string
  /** Only boxes of version 1 name them outside of their system's own data. */
  readonly kids: readonly string[]
}

/** The pssh boxes in what a media file says of its protection (ISO/IEC 23001-7, 8.1). */
export function readPsshBoxes(initData: ArrayBuffer): Pssh[] {
  const boxes: Pssh[] = []
  for (let start = 0; start + 32 <= initData.byteLength; ) {
    const size = new DataView(initData).getUint32(start)
    if (size < 32 || start + size > initData.byteLength) break
    boxes.push(readPssh(new DataView(initData, start, size)))
    start += size
  }
  return boxes
}

function readPssh(box: DataView): Pssh {
  const version = box.getUint8(8)
  const system = hexAt(box, 12)
  const count = version === 0 ? 0 : box.getUint32(28)
  const fitting = Math.min(count, Math.floor((box.byteLength - 32) / 16))
  return {
    system: SYSTEMS[system] ?? system,
    kids: Array.from({ length: fitting }, (_, index) => hexAt(box, 32 + 16 * index)),
  }
}

function hexAt(box: DataView, offset: number): string {
  return hexOf(new Uint8Array(box.buffer, box.byteOffset + offset, 16))
}
