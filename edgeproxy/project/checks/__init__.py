"""What AWS would refuse although it can be run here: rules over the model, each with its ID.

Every check takes a value of the model and a function that gives the place of one of its
properties, and yields findings. It changes nothing; loaders call it while they still know places.
``python_source`` and ``node_source`` read the code of functions, ``counts`` looks at the whole
project; both are for ``edgeproxy check`` alone.
"""
