def attack(facts):
    try:
        return {"read": input()}
    except EOFError:
        return {}
