// The library's containers want this of Reflect, and so it must be there before the library is.
import 'reflect-metadata/lite'

export * from '@peculiar/x509'
