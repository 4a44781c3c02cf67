"""Structs to protobuf and back, by what `.proto` files say; knows nothing of any API.

`schema` reads the files, `reading` and `writing` know the encoding of each kind of field, and
`binding` makes of a struct and a message, field by field and once, the codec of both.
"""
