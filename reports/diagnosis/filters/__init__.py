"""Finds the rule, filter, qdisc or policy that drops or changes a packet, by what nft, tc and ip print. Pure.

``hooks`` lists the places that a packet passes between two sightings, ``packet`` gives the values that rules ask for,
``nft``, ``tc`` and ``xfrm`` evaluate what is at one place, ``causes`` puts it together.
"""
